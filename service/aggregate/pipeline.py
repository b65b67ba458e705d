"""From records to a flush that only has to be written: decode, decide, admit, fold, resolve."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import asyncpg
import numpy as np
import polars as pl

from service.aggregate import bits, copying, delays, grouping, receipts, seen
from service.aggregate import outcomes as rows
from service.aggregate.admission import Admission, Limits
from service.aggregate.batch import Batch, read_batch
from service.aggregate.cache import Known
from service.aggregate.context import FoldContext
from service.aggregate.dedupe import Group, buckets, decide, group, stored_runs
from service.aggregate.delays import Delays, ages, dirty_with
from service.aggregate.deltas import Deltas
from service.aggregate.folds import FOLDS
from service.aggregate.folds.facts import fold_facts
from service.aggregate.folds.merge import merge
from service.aggregate.moments import FirstMoments
from service.aggregate.policy import Mask, Outcomes, TimePolicy
from service.aggregate.reached import reached_by
from service.aggregate.records import scanned
from service.aggregate.records.columns import reading
from service.aggregate.records.room import Room
from service.aggregate.resolve import Resolved, Resolver
from service.aggregate.seen import SeenIds
from service.aggregate.stage import stage_deltas
from service.clock import DAY, HOUR, SECOND, Clock
from service.domain.foldconfig import FoldConfig, TenantFoldConfig
from service.eventlog.port import Stored
from service.settings import Settings
from service.store import ids
from service.store.config import load_fold_configs
from service.store.ids import TenantDay
from service.store.partitions import KeptFrom, kept_from
from service.store.staging import Staged

KNOWN_CONFIGS = 20_000
UNDECLARED = TenantFoldConfig(version=0, valid_from_us=(-(1 << 63),), versions=(FoldConfig(),))
"""What events of a tenant that is gone are folded with."""
MEGABYTE = 1_000_000
REST = 0
"""In the place of a batch's number: what is written without one."""
READING = reading({family: fold.unread for family, fold in FOLDS.items()})


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch that is ready to be flushed."""

    number: int
    batch: Batch
    outcomes: Outcomes
    staged: Staged
    resolved: Resolved
    over_limit: Mapping[str, int]
    """Events counted under `~other`, by kind of name."""
    milestones: pl.DataFrame
    """What it brings of milestones."""
    ages: pl.DataFrame
    """How old its events were at `ready_us`."""
    ready_us: int


@dataclass(slots=True)
class Pipeline:
    """Prepares batches one after another; a batch sees the ids of those before it, committed or not."""

    pool: asyncpg.Pool
    generation: int
    partitions: int
    policy: TimePolicy
    clock: Clock
    admission: Admission
    resolver: Resolver
    seen: SeenIds
    slo_live_us: int
    """How old an event may be when it is received and still feed the counters of SLOs."""
    delays: Delays = field(default_factory=Delays)
    _moments: FirstMoments = field(default_factory=FirstMoments)
    _room: Room = field(default_factory=Room)
    _configs: Known[int, TenantFoldConfig] = field(default_factory=lambda: Known(KNOWN_CONFIGS))
    _kept_from: KeptFrom | None = None
    _doubtful: bool = False
    """A batch met a closed hour in its flush: the next one asks about every hour."""
    _number: int = 0

    @classmethod
    def build(
        cls, pool: asyncpg.Pool, settings: Settings, *, generation: int, partitions: int, policy: TimePolicy, clock: Clock
    ) -> "Pipeline":
        """Build a pipeline with empty caches."""
        admission = Admission(pool, Limits(names=settings.max_names, values=settings.max_values))
        seen = SeenIds(max_bytes=settings.dedupe_cache_mb * MEGABYTE)
        resolver, live_us = Resolver(pool, admission), settings.slo_live_s * SECOND
        return cls(pool, generation, partitions, policy, clock, admission, resolver, seen, live_us)

    async def prepare(self, records: Sequence[Stored]) -> Prepared:
        """Prepare a batch; its ids count as seen until `committed` or `reset`."""
        self._number += 1
        number = self._number
        batch = await asyncio.to_thread(read_batch, records, partitions=self.partitions, reading=READING, room=self._room)
        groups = await asyncio.to_thread(group, batch.heads)
        await self._load_ids(number, groups)
        closed = await self._closed(batch)
        outcomes = await asyncio.to_thread(self._decide, batch, groups, closed)
        for bucket, stored in stored_runs(groups, outcomes):
            self.seen.stage(number, bucket, batch.heads.hi[stored], batch.heads.lo[stored])
        sums = await asyncio.to_thread(receipts.sent, batch, outcomes)
        delays = self.delays.take(number)
        configs = await self._configs_of(pl.concat([sums["tenant"], delays["tenant"]]).unique().sort().to_list())
        frames = await asyncio.to_thread(rows.stored_frames, batch, outcomes, whole=_read_whole(configs))
        admitted = await self.admission.admit(frames, configs)
        refused, context = await self.admission.refused_sources(sums), await self._context(configs)
        deltas = await asyncio.to_thread(_fold, admitted.frames, context, self._moments)
        told = await asyncio.to_thread(receipts.received, sums, admitted.frames, refused, context, delays=delays)
        deltas = replace(deltas, facts=pl.concat([deltas.facts, told.facts]), receipts=told.receipts)
        resolved = await self.resolver.resolve(deltas)
        staged = await asyncio.to_thread(self._stage, batch, groups, outcomes, sums, deltas, resolved)
        began = deltas.sessions.group_by("tenant").agg(time_us=pl.col("minute_us").min())
        told_of = pl.concat([delays.select("tenant", "time_us"), began])
        staged.rows["dirty"] = dirty_with(staged.rows["dirty"], told_of)
        staged.rows["version"] = [(tenant, config.version) for tenant, config in configs.items()]
        if len(deltas.milestones):
            staged.rows["derived"] = await self._derived(configs)
        ready_us = self.clock.now_us()
        aged = receipts.named(await asyncio.to_thread(ages, batch, outcomes, now_us=ready_us), refused)
        return Prepared(number, batch, outcomes, staged, resolved, admitted.over_limit, deltas.milestones, aged, ready_us)

    async def rest(self) -> Staged:
        """What is known of committed batches alone: their delays, where no batch follows to take them along."""
        delays = self.delays.take(REST)
        context = await self._context(await self._configs_of(delays["tenant"].unique().sort().to_list()))
        deltas = Deltas(facts=fold_facts("delay", delays, ("source",), context))
        staged = stage_deltas(deltas, await self.resolver.resolve(deltas))
        staged.rows["dirty"] = dirty_with([], delays)
        return staged

    def committed(self, prepared: Prepared) -> None:
        """Keep what the batch brought to the caches, and how long its events took."""
        self.delays.told(prepared.number)
        self.delays.add(prepared.ages, later_us=self.clock.now_us() - prepared.ready_us)
        self._doubtful = False
        self.seen.commit(prepared.number)
        self.resolver.learn(prepared.resolved)
        self._moments.learn(prepared.milestones)

    def reset(self, *, stale: bool = False) -> None:
        """Drop what batches under way have left, after a failure; configurations and partitions are read anew.

        `stale`: the flush met what had changed since the batch was decided, a closed hour perhaps.
        """
        self._doubtful = stale
        self.delays.give_back()
        self.seen.drop_pending()
        self._configs = Known(KNOWN_CONFIGS)
        self._kept_from = None

    def refresh(self) -> None:
        """Look anew at how far back partitions of time reach, with the next batch."""
        self._kept_from = None

    async def _load_ids(self, number: int, groups: list[Group]) -> None:
        wanted = buckets(groups)
        # Those that are there are pinned before the others are waited for: a commit meanwhile may make room.
        self.seen.pin(number, wanted)
        missing = self.seen.missing(wanted)
        if missing:
            async with self.pool.acquire() as connection:
                self.seen.add(missing, await ids.load(connection, self.generation, missing))
            self.seen.pin(number, missing)

    async def _closed(self, batch: Batch) -> Mask:
        """Mark events whose hour is closed for their tenant.

        Only hours of backfill can be; and, where the clock of a receiver is weeks behind, of what it received.
        """
        heads = batch.heads
        closed = np.zeros(len(heads), dtype=np.bool_)
        old = np.flatnonzero(
            (heads.backfill & (heads.received_us - heads.time_us > self.policy.max_lateness_us)) | self._doubtful
        )
        if old.size:
            tenants, days = heads.tenant[old], heads.time_us[old] // DAY
            wanted = {TenantDay(*key) for key in set(zip(tenants.tolist(), days.tolist(), strict=True))}
            async with self.pool.acquire() as connection:
                masks = await ids.closed_hours(connection, wanted)
            if masks:
                hours = heads.time_us[old] // HOUR % 24
                keys = zip(tenants.tolist(), days.tolist(), hours.tolist(), strict=True)
                closed[old] = [bool(masks.get(TenantDay(tenant, day), 0) >> hour & 1) for tenant, day, hour in keys]
        return closed

    def _decide(self, batch: Batch, groups: list[Group], closed: Mask) -> Outcomes:
        heads = batch.heads
        verdicts = self.policy.judge(heads.time_us, heads.received_us, heads.backfill, closed)
        return decide(heads, groups, verdicts, self.seen)

    async def _configs_of(self, tenants: list[int]) -> dict[int, TenantFoldConfig]:
        known, unknown = self._configs.split(tenants)
        if unknown:
            async with self.pool.acquire() as connection:
                found = await load_fold_configs(connection, unknown)
            self._configs.learn(found)
            known |= {tenant: found.get(tenant, UNDECLARED) for tenant in unknown}
        return known

    async def _context(self, configs: Mapping[int, TenantFoldConfig]) -> FoldContext:
        if self._kept_from is None:
            async with self.pool.acquire() as connection:
                self._kept_from = await kept_from(connection)
        kept = self._kept_from
        return FoldContext(
            configs,
            kept.minute_from_us,
            kept.quarter_from_us,
            kept.minute_until_us,
            kept.quarter_until_us,
            live_us=self.slo_live_us,
        )

    async def _derived(self, configs: Mapping[int, TenantFoldConfig]) -> list[tuple[int, str, bool, list[str]]]:
        """Milestones that are made of others, of any version: the flush derives them of what it brings."""
        declared = {(tenant, each) for tenant, config in configs.items() for of in config.versions for each in of.together}
        await self.admission.milestone_ids({(tenant, each.milestone) for tenant, each in declared})
        return [(tenant, each.milestone, each.of_account, list(each.parts)) for tenant, each in declared]

    def _stage(
        self, batch: Batch, groups: list[Group], outcomes: Outcomes, sums: pl.DataFrame, deltas: Deltas, resolved: Resolved
    ) -> Staged:
        staged = stage_deltas(deltas, resolved)
        staged.rows |= {
            "ids": rows.id_rows(batch, groups, outcomes, self.generation),
            "hours": rows.hour_rows(batch.heads, outcomes),
            "dirty": rows.dirty_rows(batch.heads, outcomes),
            "ledger": rows.ledger_rows(sums),
            "dead_letter": rows.dead_letter_rows(batch, outcomes, self.policy),
            "producer": rows.producer_rows(batch, self.generation),
        }
        return staged


def compile_all() -> None:
    """Have every compiled function ready: some seconds once an installation, then tenths of one a process."""
    scanned.prepare()
    grouping.prepare()
    bits.prepare()
    copying.prepare()
    seen.prepare()
    delays.prepare()


def _read_whole(configs: Mapping[int, TenantFoldConfig]) -> set[str]:
    """Families all of whose columns are looked at for one of these: by their fold, or to tell how often a field is there."""
    versions = [version for config in configs.values() for version in config.versions]
    return {
        family
        for family, fold in FOLDS.items()
        if fold.unread
        and any(
            fold.reads_all_for(version) or fold.unread & receipts.looked_at(family, version.completeness.get(family, ()))
            for version in versions
        )
    }


def _fold(frames: Mapping[str, pl.DataFrame], context: FoldContext, moments: FirstMoments) -> Deltas:
    folded = [FOLDS[family].fold(frame, context) for family, frame in frames.items()]
    deltas = merge(folded) if folded else Deltas()
    deltas = replace(deltas, milestones=moments.news(deltas.milestones))
    return replace(deltas, reached=reached_by(deltas, context))
