"""Every dashboard, and the files that they are written to."""

from collections.abc import Callable, Mapping
from pathlib import Path

from service.catalog import Catalog
from service.dashboards.page import Page, text_of
from service.dashboards.pages import (
    account,
    accounts,
    adoption,
    delivery,
    incidents,
    infrastructure,
    itself,
    kpi,
    overview,
    revenue,
    service_level,
    support,
)

PAGES: tuple[Callable[[Catalog], Page], ...] = (
    overview.page,
    adoption.page,
    delivery.page,
    service_level.page,
    incidents.page,
    accounts.page,
    account.page,
    support.page,
    revenue.page,
    infrastructure.page,
    itself.page,
    kpi.page,
)


def files(catalog: Catalog) -> Mapping[str, str]:
    """The text of every dashboard by the name of its file."""
    made = [page(catalog) for page in PAGES]
    return {f"{page.uid}.json": text_of(page.dashboard()) for page in made}


def write(directory: Path) -> int:
    """Write every dashboard, drop files of those that are no more; returns how many there are."""
    made = files(Catalog.load())
    directory.mkdir(parents=True, exist_ok=True)
    for file in directory.glob("*.json"):
        if file.name not in made:
            file.unlink()
    for name, text in made.items():
        (directory / name).write_text(text, encoding="utf-8")
    return len(made)
