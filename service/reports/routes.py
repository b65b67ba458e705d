"""`/v1/reports`: what there is, a report made now, frozen copies, and the notes that fill blanks."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from service.clock import to_datetime
from service.errors import InvalidQuery
from service.expose import documents
from service.expose.asking import Asker, read_instant
from service.expose.parameters import check_known
from service.http.auth import Principal, require
from service.http.bodies import BodyReader
from service.reports.layout import Blank, Layout
from service.reports.layouts import LAYOUTS
from service.reports.making import Maker, Wish, place_of
from service.reports.model import Report, decode, encode
from service.reports.rendering import FORMATS, MEDIA_TYPES, Format, render
from service.store import reports

DEFAULT_FORMAT: Format = "html"
MAX_NOTE_BYTES = 20_000
MAX_HELD_BYTES = 1_000_000
PAGE_ROWS = 50
_OF_WISH: Final = ("account", "window", "start", "end")
_REPORT: Final = "a report"

Reader = Annotated[Principal, Depends(require("read"))]
Writer = Annotated[Principal, Depends(require("admin"))]


@dataclass(frozen=True, slots=True)
class Doors:
    """The answers, apart from the routes that lead to them."""

    maker: Maker
    bodies: BodyReader = field(default_factory=lambda: BodyReader(max_bytes=MAX_NOTE_BYTES, max_held_bytes=MAX_HELD_BYTES))

    async def wish(self, request: Request, principal: Principal, name: str, *others: str) -> Wish:
        """Read the parameters, of which the route takes `others`, too; raises InvalidQuery and NotFound."""
        parameters = request.query_params
        check_known(parameters, (*_OF_WISH, *others), _REPORT)
        wish = Wish(name, parameters.get("account", ""), parameters.get("window"))
        own = {"start", "end"} & set(parameters)
        if not own:
            return wish
        zone = (await self.maker.window(principal.tenant, wish)).zone
        asker = Asker(principal.tenant, zone, self.maker.clock.now_us())
        bounds = [read_instant(each, parameters.get(each), asker) for each in ("start", "end")]
        return Wish(name, wish.account, wish.window, *bounds)

    async def answer(self, request: Request, report: Report) -> Response:
        """The report in the format asked for."""
        form = _format(request)
        content = await asyncio.to_thread(render, report, form)
        name = f"{report.name}-{report.start[:10]}.{form}"
        headers = {"Content-Disposition": f'inline; filename="{name}"', "Cache-Control": "private, no-cache"}
        return Response(content, media_type=MEDIA_TYPES[form], headers=headers)


def router(maker: Maker) -> APIRouter:
    """The routes, of the key's tenant."""
    made = APIRouter(prefix="/v1/reports", tags=["reports"])
    doors = Doors(maker)
    _add_reports(made, doors)
    _add_copies(made, doors)
    return made


def _add_reports(made: APIRouter, doors: Doors) -> None:
    @made.get("", summary="The reports that there are", responses=documents.REPORTS)
    async def names(request: Request, principal: Reader) -> Response:
        del principal
        check_known(request.query_params, (), "the list of reports")
        return _json({"reports": [_described(each) for each in LAYOUTS.values()]})

    @made.get("/{name}", summary="A report made now, of the last window that has closed by default", responses=documents.REPORT)
    async def one(
        request: Request,
        principal: Reader,
        name: str,
        account: documents.Text = None,
        window: documents.Window = None,
        start: documents.Start = None,
        end: documents.End = None,
        format: documents.ReportFormat = None,  # the parameter's name
    ) -> Response:
        del account, window, start, end, format  # documented here, read below
        wish = await doors.wish(request, principal, name, "format")
        _format(request)
        report, _ = await doors.maker.make(principal.tenant, principal.tenant_name, wish)
        return await doors.answer(request, report)

    @made.put("/{name}/notes/{blank}", summary="Fill a blank with prose; an empty body empties it", status_code=204)
    async def note(request: Request, principal: Writer, name: str, blank: str) -> Response:
        wish = await doors.wish(request, principal, name)
        known = _blanks(wish.layout)
        if blank not in known:
            raise InvalidQuery("blank", f"the report {name} has no blank {blank!r}; it has {', '.join(known) or 'none'}")
        async with doors.bodies.body(request) as body:
            text = _text(body)
        place = place_of(principal.tenant, wish, await doors.maker.window(principal.tenant, wish))
        async with doors.maker.pool.acquire() as connection:
            await reports.write_note(connection, place, blank, text)
        return Response(status_code=204)


def _add_copies(made: APIRouter, doors: Doors) -> None:
    @made.post("/{name}/copies", summary="Freeze a report as it is now", status_code=201, responses=documents.REPORT_COPY)
    async def freeze(request: Request, principal: Writer, name: str) -> Response:
        wish = await doors.wish(request, principal, name)
        report, window = await doors.maker.make(principal.tenant, principal.tenant_name, wish)
        async with doors.maker.pool.acquire() as connection:
            place = place_of(principal.tenant, wish, window)
            number = await reports.keep(connection, place, end_at=to_datetime(window.end_us), content=encode(report))
        return _json({"id": number}, status=201)

    @made.get("/{name}/copies", summary="Frozen copies, the newest first", responses=documents.REPORT_COPIES)
    async def copies(
        request: Request, principal: Reader, name: str, account: documents.Text = None, before: int | None = None
    ) -> Response:
        check_known(request.query_params, ("account", "before"), "a report's copies")
        _ = Wish(name).layout
        async with doors.maker.pool.acquire() as connection:
            found = await reports.copies(connection, principal.tenant, name, account=account, before=before, limit=PAGE_ROWS)
        shown = [{key: getattr(each, key) for key in reports.Copy.__slots__ if key != "tenant"} for each in found]
        return _json({"copies": shown, "next": found[-1].id if len(found) == PAGE_ROWS else None})

    @made.get("/{name}/copies/{number}", summary="A frozen copy, in any format", responses=documents.REPORT)
    async def copy(
        request: Request,
        principal: Reader,
        name: str,
        number: int,
        format: documents.ReportFormat = None,  # the parameter's name
    ) -> Response:
        del format  # documented here, read below
        check_known(request.query_params, ("format",), "a report's copy")
        _format(request)
        async with doors.maker.pool.acquire() as connection:
            content = await reports.content_of(connection, principal.tenant, name, number)
        return await doors.answer(request, decode(content))


def _described(layout: Layout) -> dict[str, Any]:
    return {
        "name": layout.name,
        "title": layout.title,
        "window": layout.window,
        "of_account": layout.of_account,
        "sections": [each.title for each in layout.chapters],
        "blanks": _blanks(layout),
        "formats": FORMATS,
    }


def _blanks(layout: Layout) -> list[str]:
    return [ask.name for chapter in layout.chapters for ask in chapter.asks if isinstance(ask, Blank)]


def _format(request: Request) -> Format:
    named = request.query_params.get("format", DEFAULT_FORMAT)
    for form in FORMATS:
        if form == named:
            return form
    raise InvalidQuery("format", f"{named!r} is none of {', '.join(FORMATS)}")


def _text(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise InvalidQuery("body", "is no UTF-8: send the note as text in UTF-8") from error
    if "\0" in text:
        raise InvalidQuery("body", "holds NUL, which no text does")
    return text.strip()


def _json(body: dict[str, Any], *, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
