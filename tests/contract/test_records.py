"""Events that come each by itself, many at once: what becomes of one depends on no other, however many there are."""

from service.domain.families.rows import RejectedRow, Row
from tests.ingest.batches import rows_of

from .samples import LIVE, decoder, event, text

MANY = 512
GOOD = MANY * 2 + 100
BAD = {
    5: b"{",
    MANY - 1: text(event("probe", {"interval_s": 0})),
    MANY: text(event("probe", time="soon")),
    GOOD - 1: text(event("probe", {"component": "a,b"})),
}
NOTED = {7: text(event("probe", {"unknown": 1})), MANY + 7: text(event("request", {"unknown": 1, "other": 2}))}
RAWS = [
    {**BAD, **NOTED}.get(number) or text(event(("usage", "request", "probe")[number % 3], id=f"e{number}"))
    for number in range(GOOD)
]


def test_each_of_many_events_becomes_what_it_would_become_alone() -> None:
    together, alone, by_itself = decoder().decode_each(RAWS, LIVE), dict[str, list[Row | RejectedRow]](), decoder()
    accepted = unknown_fields = 0
    for raw in RAWS:
        one = by_itself.decode_each([raw], LIVE)
        for family, rows in rows_of(one).items():
            alone.setdefault(family, []).extend(rows)
        accepted += one.accepted
        unknown_fields += one.unknown_fields
    assert rows_of(together) == alone
    assert (together.accepted, together.unknown_fields) == (accepted, unknown_fields) == (GOOD - len(BAD), 3)


def test_refused_events_are_told_by_their_places_among_many() -> None:
    rejected = decoder().decode_each(RAWS, LIVE).rejected
    assert [each.index for each in rejected] == sorted(BAD)
    assert [str(each.reason) for each in rejected] == ["malformed", "out_of_range", "bad_time", "bad_name"]
