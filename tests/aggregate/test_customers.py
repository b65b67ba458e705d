"""What is known of customers: nothing of the pilot is lost, names keep to their limits, late news change their own date."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import asyncpg
import pytest

from service.clock import DAY
from service.domain.families.registry import BY_TYPE
from service.domain.families.rows import AccountRow, FeedbackRow, ItemRow, RecoveryRow, Row, TicketRow
from service.ingest.decode import Decoder, Form, Limits, Stamp
from service.settings import Settings
from tests.aggregate.conftest import Site
from tests.aggregate.events import Events

LIMITS = Limits(max_request_events=1_000, max_event_bytes=20_000, max_depth=32, max_lateness_us=7 * DAY, max_skew_us=300_000_000)
COUNTS = {
    "usage": "select sum(f.n) from fact_day f join series s on s.id = f.series where s.kind = 'usage'",
    "request": "select sum(f.n) from fact_day f join series s on s.id = f.series where s.kind = 'request'",
    "measurement": "select sum(f.n) from fact_day f join series s on s.id = f.series where s.kind = 'meter'",
    "probe": "select sum(probes) from probe_quarter",
    "incident": "select count(*) from step where family = 'incident'",
    "ticket": "select count(*) from step where family = 'ticket'",
}


def pilot_lines() -> list[bytes]:
    return gzip.decompress((files("service.demo") / "pilot-week.ndjson.gz").read_bytes()).splitlines()


def distinct(lines: list[bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each event of the file once, with its family."""
    seen = set()
    for line in lines:
        event = json.loads(line)
        key = (event["source"], event["id"], event["time"])
        if key not in seen:
            seen.add(key)
            yield BY_TYPE[event["type"]].name, event


async def fetch(site: Site, sql: str, *values: object) -> list[asyncpg.Record]:
    async with site.pool.acquire() as connection:
        return await connection.fetch(sql, *values)


async def test_the_rollups_have_as_many_of_each_family_as_the_pilot_sent(site: Site) -> None:
    lines = pilot_lines()
    decoder = Decoder(site.hasher, LIMITS)
    stamp = Stamp(tenant=site.tenant, received_us=site.clock.now_us(), backfill=True)
    for start in range(0, len(lines), 1_000):
        batch = decoder.decode(b"\n".join(lines[start : start + 1_000]), Form.NDJSON, stamp)
        assert batch.rejected == []
        await site.take(batch)
    await site.consume()

    wanted: Counter[str] = Counter()
    dated: Counter[tuple[str, str]] = Counter()
    milestones: set[tuple[str, str, str]] = set()
    for family, event in distinct(lines):
        data = event["data"]
        wanted[family] += data.get("count", 1)
        if family in {"account", "user"}:
            dated.update((family, field) for field in ("status", "tier") if field in data)
            reached = {data["milestone"]} if "milestone" in data else set()
            reached |= {"~known"} if family == "account" else set()
            milestones |= {(family, event["subject"], milestone) for milestone in reached}
    for family, sql in COUNTS.items():
        [row] = await fetch(site, sql)
        assert row[0] == wanted[family], family
    history = await fetch(site, "select kind, field, count(*) as n from state_history group by 1, 2")
    assert {(row["kind"], row["field"]): row["n"] for row in history} == dated
    found = await fetch(site, "select kind, who, milestone from milestone")
    assert {tuple(row) for row in found} == milestones
    assert set(wanted) == {*COUNTS, "account", "user"}
    [ledger] = await fetch(site, "select sum(stored) as stored, sum(dead_lettered) as dead from ledger")
    assert (ledger["stored"], ledger["dead"]) == (len(list(distinct(lines))), 0)


async def test_what_is_known_of_an_account_is_kept_by_its_date(site: Site) -> None:
    events = Events(site)
    now = site.clock.now_us()
    at: dict[str, Any] = {"customer": "acme", "account": "somebody-else"}
    newer = events.make(
        AccountRow, time_us=now - DAY, **at, mrr=5_000, mrr_currency="USD", traits={"niche": "pets"}, milestone="go_live"
    )
    older = events.make(
        AccountRow, time_us=now - 6 * DAY, **at, mrr=4_000, mrr_currency="EUR", traits={"niche": "toys"}, milestone="go_live"
    )
    too_old = events.make(AccountRow, time_us=now - 8 * DAY, **at, mrr=1, mrr_currency="USD")
    history = events.make(AccountRow, time_us=now - 400 * DAY, **at, mrr=3_000, mrr_currency="USD", backfill=True)
    for row in (newer, older, too_old, history, newer):
        await site.append({"account": [row]})
        await site.consume()
    values = await fetch(
        site, "select who, account, time_us, value from state_history where kind = 'account' and field = 'mrr' order by time_us"
    )
    assert [tuple(row) for row in values] == [
        ("acme", "acme", now - 400 * DAY, "3000 USD"),
        ("acme", "acme", now - 6 * DAY, "4000 EUR"),
        ("acme", "acme", now - DAY, "5000 USD"),
    ]
    [trait] = await fetch(site, "select field, value from state")
    assert tuple(trait) == ("trait.niche", "pets")
    reached = await fetch(site, "select milestone, time_us from milestone order by milestone")
    assert [tuple(row) for row in reached] == [("go_live", now - 6 * DAY), ("~known", now - 400 * DAY)]
    [letter] = await fetch(site, "select id, reason from dead_letter")
    assert tuple(letter) == (too_old.id, "too_late")


class TestOverTheLimit:
    """With room for two names of a kind."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(partitions=1, flush_interval_s=0.01, lease_s=2.0, max_names=2, max_values=2)

    async def test_themes_signals_and_other_names_count_under_other(self, site: Site) -> None:
        events = Events(site)
        rows: dict[str, list[Row]] = {
            "feedback": [
                events.make(FeedbackRow, respondent=f"u{n}", survey=f"s{n}", score=3, themes=[f"t{n}", f"x{n}"]) for n in range(4)
            ],
            "account": [events.make(AccountRow, customer=f"a{n}", signals={f"signal-{n}": "true"}) for n in range(3)],
            "recovery": [events.make(RecoveryRow, case=f"c{n}", action="lost", channel=f"c{n}") for n in range(3)],
            "ticket": [events.make(TicketRow, ticket=f"t{n}", action="updated", category=f"c{n}") for n in range(3)],
            "item": [events.make(ItemRow, item=f"i{n}", kind=f"k{n}", status="open", owner=f"o{n}") for n in range(3)],
        }
        await site.append(rows)
        await site.consume()
        themes = await fetch(site, "select fields -> 'themes' as themes from step where family = 'feedback'")
        told = [name for row in themes for name in json.loads(row["themes"])]
        assert len(set(told) - {"~other"}) == 2
        assert "~other" in told
        assert all(len(set(names)) == len(names) for names in (json.loads(row["themes"]) for row in themes))
        signals = await fetch(site, "select field from state_history where kind = 'account'")
        assert sorted("~other" in row["field"] for row in signals) == [False, False, True]
        for family, field, others in (
            ("feedback", "survey", 2),
            ("recovery", "channel", 1),
            ("ticket", "category", 1),
            ("item", "kind", 1),
            ("item", "owner", 1),
        ):
            [row] = await fetch(site, "select count(*) from step where family = $1 and fields ->> $2 = '~other'", family, field)
            assert row[0] == others, (family, field)
        counted = site.telemetry.registry.get_sample_value
        kinds = {"theme": 6, "survey": 2, "signal": 1, "channel": 1, "ticket_category": 1, "item_kind": 1, "owner": 1}
        assert {kind: counted("tidegauge_names_over_limit_total", {"kind": kind}) for kind in kinds} == kinds
