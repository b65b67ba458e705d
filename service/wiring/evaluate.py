"""The role `evaluate`, built: live values, the database's upkeep, reports on schedule."""

from service.evaluate.audit import Audit
from service.evaluate.dashboards import Dashboards
from service.evaluate.evaluator import Evaluator
from service.evaluate.guests import GuestTurns
from service.evaluate.nearing import Nearing
from service.evaluate.scorecards import Scorecards
from service.evaluate.upkeep import Upkeep
from service.eventlog.balance import LogCounts
from service.eventlog.opening import POSTGRES
from service.expose import readiness
from service.following import follow, until_stopped_or_moved
from service.lifecycle import spare_the_collector
from service.reports.making import Maker
from service.reports.schedule import Schedule
from service.settings import Settings
from service.store.engine import QUERIES, WHOLE_CATALOG
from service.store.installation import Installation
from service.wiring.base import base, catalog_for, operations

CONNECTIONS = 8


async def run_evaluate(settings: Settings, url: str) -> None:
    """The role `evaluate`: keeps live values and the database until it is asked to stop."""
    await follow(lambda current: _evaluate_on(current, url), settings)


async def _evaluate_on(settings: Settings, url: str) -> Installation | None:
    async with base(settings, url, role="evaluate", connections=CONNECTIONS, session=QUERIES, prepared=WHOLE_CATALOG) as made:
        catalog = await catalog_for(made)
        spare_the_collector()
        schedule = Schedule(made.pool, Maker(made.pool, catalog, made.clock), made.clock, made.telemetry)
        in_database = made.installation.log_kind == POSTGRES
        audit = Audit(made.pool, None if in_database else LogCounts(made.event_log, from_records=False), made.telemetry)
        nearing = Nearing(made.pool, made.clock, made.telemetry)
        dashboards = Dashboards(made.pool, made.clock)
        guests = GuestTurns()
        scorecards = Scorecards(made.pool, catalog, made.clock, made.telemetry, lambda kpi: guests.slow(kpi, made.clock.now_us()))
        evaluator = Evaluator(
            pool=made.pool,
            catalog=catalog,
            upkeep=Upkeep(made.pool, made.event_log, made.clock, settings, made.installation),
            clock=made.clock,
            settings=settings,
            installation=made.installation,
            telemetry=made.telemetry,
            guests=guests,
            others=[schedule.task(), audit.task(), nearing.task(), scorecards.task(), *dashboards.tasks()],
        )
        checks = {
            "evaluator": readiness.evaluator(made.pool, lambda: evaluator.holds_lease),
            "kpis": readiness.kpis(catalog.refused, guests.resting),
        }
        async with operations(made, "evaluate", checks), until_stopped_or_moved(made.pool, made.installation) as ending:
            await evaluator.run(ending.stop)
    return ending.next
