"""`tidegauge kpi-docs`: a page of documentation a KPI, from the heads of their files."""

from pathlib import Path
from typing import Annotated

import typer

from service.catalog import Catalog
from service.expose.documented import pages

Directory = Annotated[Path, typer.Argument(help="Where the pages go; others in it are removed", file_okay=False)]


def write(directory: Directory) -> None:
    """Write a page of documentation a KPI, and their index."""
    made = pages(Catalog.load())
    directory.mkdir(parents=True, exist_ok=True)
    for page in directory.glob("*.md"):
        if page.name not in made:
            page.unlink()
    for name, text in made.items():
        (directory / name).write_text(text, encoding="utf-8")
    typer.echo(f"{len(made)} pages in {directory}")
