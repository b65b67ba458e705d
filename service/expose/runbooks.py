"""/runbooks: what to do about each alert, from the process that the alert comes from, so that its link leads somewhere."""

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import Response

from service.errors import NotFound


def router() -> APIRouter:
    """The pages of docs/runbooks as Markdown; they hold no figures, and are open to whoever reaches the API."""
    made = APIRouter(include_in_schema=False)
    pages = {file.name: file.read_bytes() for file in _directory().glob("*.md")}

    @made.get("/runbooks/{page}")
    async def runbook(page: str) -> Response:
        if page not in pages:
            raise NotFound(f"there is no runbook {page}: /runbooks/README.md lists all of them")
        return Response(pages[page], media_type="text/markdown; charset=utf-8")

    return made


def _directory() -> Path:
    """Where they are: in an installed package beside its modules, else in the tree."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "_runbooks"
    return installed if installed.is_dir() else package.parent / "docs" / "runbooks"
