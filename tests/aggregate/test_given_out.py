"""Ordinals, blocks, names and series are given out once, however many ask at the same time."""

import asyncio
import json
from collections import Counter

import pytest
from alembic.script import ScriptDirectory

from service.domain.families.rows import MeasurementRow
from service.settings import Settings
from service.store.migrate import config
from service.store.names import Name, Series, admit, series_ids
from service.store.ordinals import BLOCK, Seats, Users, seat_ordinals, user_ordinals
from tests.aggregate.conftest import Site
from tests.aggregate.events import Events


async def test_users_that_many_ask_for_at_once_get_one_ordinal_each_without_gaps(site: Site) -> None:
    async def ask(first: int) -> dict[tuple[int, str], int]:
        keys = [(tenant, f"user-{n}") for tenant in (2, 1) for n in range(first, first + 50)]
        async with site.pool.acquire() as connection:
            ordinals = await user_ordinals(connection, Users([tenant for tenant, _ in keys], [user for _, user in keys]))
        return dict(zip(keys, ordinals, strict=True))

    found: dict[tuple[int, str], int] = {}
    for places in await asyncio.gather(*(ask(10 * n) for n in range(12))):
        for user, ordinal in places.items():
            assert found.setdefault(user, ordinal) == ordinal
    for tenant in (1, 2):
        assert sorted(ordinal for user, ordinal in found.items() if user[0] == tenant) == list(range(160))


async def test_seats_lie_in_blocks_of_their_account_however_they_are_asked_for(site: Site) -> None:
    async def ask(account: str, first: int, count: int) -> dict[tuple[str, int], int]:
        users = [*range(first, first + count)]
        async with site.pool.acquire() as connection:
            ordinals = await seat_ordinals(connection, Seats([1] * count, [account] * count, users))
        return {(account, user): ordinal for user, ordinal in zip(users, ordinals, strict=True)}

    asked = [ask(account, 20 * n, 30) for n in range(8) for account in ("a", "b", "c")]
    found: dict[tuple[str, int], int] = {}
    for places in await asyncio.gather(*asked):
        for seat, ordinal in places.items():
            assert found.setdefault(seat, ordinal) == ordinal
    assert len(set(found.values())) == len(found) == 3 * 170
    accounts: dict[int, set[str]] = {}
    for (account, _), ordinal in found.items():
        accounts.setdefault(ordinal // BLOCK, set()).add(account)
    assert all(len(owners) == 1 for owners in accounts.values())
    assert len(accounts) == 3 * 3, "170 seats fill two blocks and a part of a third"
    async with site.pool.acquire() as connection:
        assert await connection.fetchval("select sum(used) from seat_block") == len(found)


async def test_a_user_s_seats_are_known_as_several_whoever_gives_out_the_second(site: Site) -> None:
    async def ask(tenant: int, account: str, users: range) -> None:
        async with site.pool.acquire() as connection:
            await seat_ordinals(connection, Seats([tenant] * len(users), [account] * len(users), [*users]))

    asked = [("a", range(90)), ("b", range(80, 100)), ("c", range(85, 95)), ("c", range(84, 88)), ("d", range(200, 210))]
    await asyncio.gather(*(ask(tenant, account, users) for tenant in (1, 2) for account, users in asked))
    await ask(2, "e", range(209, 211))
    async with site.pool.acquire() as connection:
        found = await connection.fetch(
            "select tenant, account, user_ordinal from shared_seat join seat using (tenant, ordinal, user_ordinal)"
        )
    seats = {(tenant, account, user) for tenant in (1, 2) for account, users in asked for user in users} | {
        (2, "e", 209),
        (2, "e", 210),
    }
    held = Counter((tenant, user) for tenant, _, user in seats)
    assert {tuple(row) for row in found} == {seat for seat in seats if held[seat[0], seat[2]] > 1}
    assert len(found) == len({tuple(row) for row in found})
    # An installation of before has the same when it has migrated.
    migration = ScriptDirectory.from_config(config()).get_revision("0024").module
    told = "select tenant, ordinal, user_ordinal from shared_seat order by 1, 2"
    async with site.pool.acquire() as connection:
        given_out = await connection.fetch(told)
        await connection.execute("truncate shared_seat")
        await connection.execute(migration.FILL)
        assert await connection.fetch(told) == given_out


async def test_series_that_many_ask_for_at_once_get_one_id_each(site: Site) -> None:
    async def ask(first: int) -> dict[Series, int]:
        async with site.pool.acquire() as connection:
            return await series_ids(
                connection, [Series(1, "request", "", f'{{"route":"/{n}"}}') for n in range(first, first + 40)]
            )

    found: dict[Series, int] = {}
    for ids in await asyncio.gather(*(ask(5 * n) for n in range(12))):
        for series, number in ids.items():
            assert found.setdefault(series, number) == number
    assert len(set(found.values())) == len(found) == 95


async def test_dimensions_longer_than_an_index_entry_get_a_series(site: Site) -> None:
    long = "".join(chr(0x4E00 + 7 * n % 20_000) for n in range(4_000))
    async with site.pool.acquire() as connection:
        wanted = [Series(1, "meter", "", f'{{"a":"{long}{n}"}}') for n in range(2)]
        assert len(set((await series_ids(connection, wanted)).values())) == 2


async def test_a_limit_of_names_holds_while_many_ask_at_once(site: Site) -> None:
    async def ask(first: int) -> dict[Name, int]:
        async with site.pool.acquire() as connection:
            return await admit(connection, {Name(1, "feature", f"f-{n}"): 20 for n in range(first, first + 10)})

    found: dict[Name, int] = {}
    for ids in await asyncio.gather(*(ask(3 * n) for n in range(12))):
        for name, number in ids.items():
            assert found.setdefault(name, number) == number
    assert len(found) == 20
    async with site.pool.acquire() as connection:
        assert await connection.fetchval("select count(*) from name") == 20


def by_text(dims: dict[str, str]) -> str:
    return json.dumps(dims, sort_keys=True)


class TestOverTheLimit:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(partitions=1, flush_interval_s=0.01, max_names=3, max_values=2)

    async def test_features_count_under_other(self, site: Site) -> None:
        events = Events(site)
        at = site.clock.now_us()
        await site.append({"usage": [events.usage(time_us=at, feature=f"feature-{n}", user=f"user-{n}") for n in range(5)]})
        await site.consume()
        async with site.pool.acquire() as connection:
            counts = await connection.fetch(
                "select s.dims ->> 'feature' as feature, f.n from fact_day f join series s on s.id = f.series"
            )
            bits = await connection.fetchval(
                """select bit_count(a.bits) from activity_day a join name n on n.id = a.feature
                where n.name = '~other' and a.population = 'user'"""
            )
        expected = {"feature-0": 1, "feature-1": 1, "feature-2": 1, "~other": 2}
        assert {row["feature"]: row["n"] for row in counts if row["feature"] in expected} == expected
        assert bits == 2
        assert site.telemetry.registry.get_sample_value("tidegauge_names_over_limit_total", {"kind": "feature"}) == 2

    async def test_keys_and_values_of_attributes_count_under_other(self, site: Site) -> None:
        events = Events(site)
        at = site.clock.now_us()
        rows = [
            events.make(MeasurementRow, time_us=at, meter="m", whole=1, attributes={"a-page": f"p-{n}", f"key-{n}": "x"})
            for n in range(4)
        ]
        await site.append({"measurement": [*rows, events.make(MeasurementRow, time_us=at, meter="m", whole=1)]})
        await site.consume()
        async with site.pool.acquire() as connection:
            names = await connection.fetch("select kind, name from name where kind like 'attribute%' order by kind, name")
            dims = await connection.fetch("select dims from series where kind = 'meter'")
        assert [tuple(row) for row in names] == [
            ("attribute", "a-page"),
            ("attribute", "key-0"),
            ("attribute", "key-1"),
            ("attribute.a-page", "p-0"),
            ("attribute.a-page", "p-1"),
            ("attribute.key-0", "x"),
            ("attribute.key-1", "x"),
        ]
        assert sorted((json.loads(row["dims"]) for row in dims), key=by_text) == sorted(
            [
                {"meter": "m"},
                {"meter": "m", "attribute.a-page": "p-0", "attribute.key-0": "x"},
                {"meter": "m", "attribute.a-page": "p-1", "attribute.key-1": "x"},
                {"meter": "m", "attribute.a-page": "~other", "attribute.~other": "~other"},
            ],
            key=by_text,
        )
