"""The KPIs: one .sql file each, and the code that loads and runs them."""

from service.catalog.cut import Kept
from service.catalog.declared import Declared, declared_of
from service.catalog.kpi import Kpi
from service.catalog.loader import Catalog
from service.catalog.own import catalog_of
from service.catalog.question import Question
from service.catalog.runner import run, run_splits
from service.catalog.shared import Shared
from service.catalog.value import Value
from service.catalog.windows import Window, resolve_window, window_before

__all__ = [
    "Catalog",
    "Declared",
    "Kept",
    "Kpi",
    "Question",
    "Shared",
    "Value",
    "Window",
    "catalog_of",
    "declared_of",
    "resolve_window",
    "run",
    "run_splits",
    "window_before",
]
