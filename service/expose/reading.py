"""The doors to figures: KPIs, scorecards and scores, of the key's tenant."""

import asyncpg
from fastapi import APIRouter

from service.catalog import Catalog
from service.clock import Clock
from service.expose import kpis, scorecards, scores
from service.settings import Settings


def routers(pool: asyncpg.Pool, catalog: Catalog, *, clock: Clock, settings: Settings) -> list[APIRouter]:
    """Every router that answers with figures of the catalog."""
    return [each.router(pool, catalog, clock=clock, settings=settings) for each in (kpis, scorecards, scores)]
