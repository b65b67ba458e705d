"""What no fold looks at is not made of a batch, and nothing else comes of that."""

from typing import Any

import msgspec
import pytest
from polars.testing import assert_frame_equal

from service.aggregate.context import FoldContext
from service.aggregate.folds import FOLDS, Fold
from service.aggregate.grouping import grouped_rows
from service.aggregate.records.columns import CODE, reading, schema
from service.aggregate.records.scanned import Scanned, scan_records
from service.domain.families.rows import DeliveryRow, RequestRow, Row, UsageRow
from service.domain.foldconfig import FoldConfig, TenantFoldConfig
from service.eventlog.codec import encode
from tests.columns import stored

SPARING = [fold for fold in FOLDS.values() if fold.unread]
UNDECLARED = TenantFoldConfig(version=1, valid_from_us=(-(1 << 63),), versions=(FoldConfig(),))


def rows_of(family: str) -> list[Row]:
    def row(number: int) -> Row:
        head: dict[str, Any] = {
            "id_hash": number.to_bytes(16, "big"),
            "tenant": 1 + number % 2,
            "source": "/web",
            "id": f"id-{number}",
            "time_us": number * 10**7,
            "received_us": 2_000,
            "account": f"a{number % 3}",
            "backfill": False,
            "raw": b"{}",
        }
        match family:
            case "usage":
                own: dict[str, Any] = {"user": f"user-{number % 7}", "feature": f"f{number % 2}", "session": f"s{number}"}
                return UsageRow(**head, **own, duration_ns=5, properties={"k": "v"})
            case "delivery":
                said: dict[str, Any] = {"delivery": f"d{number}", "integration": "sap", "outcome": "delivered"}
                return DeliveryRow(**head, **said, latency_ns=number, accepted_us=number)
            case _:
                return RequestRow(**head, service="api", route=f"/{number % 3}", method="GET", status=200, latency_ns=number)

    return [row(number) for number in range(40)]


def scanned(fold: Fold, rows: list[Row] | None = None) -> Scanned:
    [one] = encode("producer", 0, {fold.family: rows or rows_of(fold.family)})
    return scan_records([stored(one.payload, one.events)], partitions=4, reading=reading({fold.family: fold.unread}))


@pytest.mark.parametrize("fold", SPARING, ids=lambda fold: fold.family)
def test_a_fold_says_the_same_without_the_columns_that_it_does_not_read(fold: Fold) -> None:
    read = scanned(fold)
    frame = read.frames[fold.family]
    assert not fold.unread & set(frame.columns)
    context = FoldContext(dict.fromkeys((1, 2), UNDECLARED), 0, 0)
    sparing, whole = fold.fold(frame, context), fold.fold(read.whole(fold.family).select(list(schema(fold.family))), context)
    for name in ("facts", "activity", "users", "milestones", "states"):
        one, other = getattr(sparing, name), getattr(whole, name)
        assert_frame_equal(one.select(other.columns), other, check_row_order=False)


@pytest.mark.parametrize("fold", SPARING, ids=lambda fold: fold.family)
def test_what_was_left_out_is_there_when_it_is_asked_for(fold: Fold) -> None:
    rows = rows_of(fold.family)
    whole = scanned(fold).whole(fold.family)
    assert set(schema(fold.family)) <= set(whole.columns)
    for name in fold.unread - {"raw"}:
        assert whole[name].to_list() == [getattr(row, name) for row in rows]
    assert whole["raw"].to_list() == [b"{}"] * len(rows)


def test_a_text_that_is_none_is_found_though_nobody_reads_it() -> None:
    [one] = encode("producer", 0, {"usage": [msgspec.structs.replace(rows_of("usage")[0], id="0123456789")]})
    damaged = stored(one.payload.replace(b"0123456789", b"01234567\xff9"), 1)
    read = scan_records([damaged], partitions=4, reading=reading({"usage": FOLDS["usage"].unread}))
    assert set(read.unreadable) == {0}


def test_codes_of_texts_group_rows_as_the_texts_do() -> None:
    frame = scanned(FOLDS["usage"]).frames["usage"]
    names = ["tenant", "account", "user", "feature"]
    distinct, of_row = grouped_rows(frame.select(*names, *(name + CODE for name in names[1:])))
    assert_frame_equal(distinct[of_row], frame.select(names))
    plain, _ = grouped_rows(frame.select(names))
    assert_frame_equal(distinct, plain, check_row_order=False)
