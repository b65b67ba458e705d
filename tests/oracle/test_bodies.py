"""What streams say is what they mean to say: the door takes it, and refuses what is spoilt for the reason that is noted."""

import json

from service.domain.families.rows import RejectedRow
from service.domain.identity import IdHasher
from service.ingest.decode import Decoder, Form, Limits, Stamp
from tests.oracle.bodies import WEIGHTS
from tests.oracle.customers import CUSTOMER_WEIGHTS
from tests.oracle.scene import LATENESS_US, SCENES, SKEW_US
from tests.oracle.streams import stream

EVENTS = 3_000


def test_the_door_takes_every_body_and_refuses_what_is_spoilt() -> None:
    sent = stream(range(EVENTS), SCENES[0], copies_differ=False, weights=WEIGHTS | CUSTOMER_WEIGHTS)
    decoder = Decoder(IdHasher(bytes(32)), Limits(EVENTS, 256_000, 32, LATENESS_US, SKEW_US))
    for each in sent:
        decoded = decoder.decode(json.dumps([each.event]).encode(), Form.ARRAY, Stamp(1, each.received_us, backfill=True))
        [(family, [row])] = [(name, rows) for name, rows in decoded.rows.items() if rows]
        if isinstance(row, RejectedRow) and row.reason == "in_future":
            continue
        assert (family, row.reason if isinstance(row, RejectedRow) else "") == (each.family, each.refused), each.event
    assert {each.family for each in sent} == {*WEIGHTS, *CUSTOMER_WEIGHTS, "rejected"}
