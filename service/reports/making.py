"""Making a report of a tenant: which window it is of, its notes, and its figures, from one snapshot."""

from dataclasses import dataclass, field

import asyncpg

from service.catalog import Catalog, Window, catalog_of, resolve_window
from service.catalog.together import Desk
from service.clock import Clock, to_datetime
from service.errors import InvalidQuery, NotFound
from service.expose.ground import Ground, Grounds
from service.expose.named import check_account
from service.reports.building import Builder
from service.reports.layout import Layout
from service.reports.layouts import LAYOUTS
from service.reports.model import Report
from service.reports.reading import Reader
from service.store import reports
from service.store.snapshots import Snapshot, snapshot


@dataclass(frozen=True, slots=True)
class Wish:
    """Which report is wanted: its name, its account, and its window (by default the last one that has closed)."""

    name: str
    account: str = ""
    window: str | None = None
    start_us: int | None = None
    end_us: int | None = None

    @property
    def layout(self) -> Layout:
        """What it is made of; raises NotFound."""
        found = LAYOUTS.get(self.name)
        if found is None:
            raise NotFound(f"there is no report {self.name}; there is {', '.join(LAYOUTS)}")
        return found


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes reports of any tenant."""

    pool: asyncpg.Pool
    catalog: Catalog
    clock: Clock
    grounds: Grounds = field(default_factory=Grounds)

    async def make(self, tenant: int, tenant_name: str, wish: Wish) -> tuple[Report, Window]:
        """The report and the window that it took; raises NotFound and InvalidQuery."""
        async with snapshot(self.pool) as seen:
            now_us = self.clock.now_us()
            async with seen.connection() as connection:
                ground = await self.grounds.now(connection, tenant, now_us=now_us)
            return await self._made(seen, ground, tenant_name, wish, now_us)

    async def window(self, tenant: int, wish: Wish) -> Window:
        """The window that a report of this wish would take now."""
        async with self.pool.acquire() as connection:
            ground = await self.grounds.now(connection, tenant, now_us=self.clock.now_us())
        return window_of(wish, ground)

    async def _made(self, seen: Snapshot, ground: Ground, tenant_name: str, wish: Wish, now_us: int) -> tuple[Report, Window]:
        layout, window = wish.layout, window_of(wish, ground)
        if layout.of_account != bool(wish.account):
            way_out = "name one" if layout.of_account else "leave it out"
            raise InvalidQuery(
                "account", f"the report {layout.name} is {'of one account' if layout.of_account else 'of all'}: {way_out}"
            )
        async with seen.connection() as connection:
            if wish.account:
                await check_account(connection, ground.tenant, wish.account)
            notes = await reports.notes(connection, place_of(ground.tenant, wish, window))
        catalog = catalog_of(self.catalog, ground.config(window))
        desk = Desk(seen.connection, ground.declared(window), ground.kept)
        reader = Reader(seen, desk, catalog, ground, window, wish.account)
        return await Builder(reader, tenant_name, notes).report(layout, made_at_us=now_us), window


def window_of(wish: Wish, ground: Ground) -> Window:
    """The window asked for; without one, the last of the layout's that has closed. Raises InvalidQuery."""
    name = wish.window or (None if wish.start_us is not None else wish.layout.window)
    if wish.start_us is not None or wish.end_us is not None or wish.window is not None:
        return resolve_window(
            ground.tenant, ground.zone, now_us=ground.now_us, name=name, start_us=wish.start_us, end_us=wish.end_us
        )
    open_one = resolve_window(ground.tenant, ground.zone, now_us=ground.now_us, name=name)
    return resolve_window(ground.tenant, ground.zone, now_us=ground.now_us, name=name, end_us=open_one.start_us)


def place_of(tenant: int, wish: Wish, window: Window) -> reports.Place:
    """Where its notes and copies lie."""
    return reports.Place(tenant, wish.name, wish.account, to_datetime(window.start_us))
