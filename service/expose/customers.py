"""Customers and what is tracked of them: `/v1/accounts` and `/v1/items`, as they stand now."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Final

import asyncpg
from fastapi import APIRouter, Depends, Query
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from service.clock import Clock
from service.domain.config import TenantConfig
from service.domain.families.item import STATUSES
from service.domain.localtime import EPOCH, day_of
from service.errors import InvalidQuery
from service.expose import documents, documents_customers
from service.expose.cursors import read_cursor, write_cursor
from service.expose.ground import Grounds
from service.expose.moments import rfc3339
from service.expose.pages import PAGE_ROWS, Big, answer_page, check_value, read_values
from service.http.auth import Principal, require
from service.store import accounts, items
from service.store.accounts import Account, AccountSelection
from service.store.items import Item, ItemSelection

ACCOUNT_STATUSES: Final = ("prospect", "invited", "onboarding", "trial", "active", "at_risk", "churned")
TIERS: Final = ("enterprise", "mid_market", "starter")
COLOURS: Final = ("red", "orange", "yellow", "green")
MAX_TRAITS: Final = 20
_TRAIT: Final = "account."
_MONEY: Final = ("mrr", "usage_fees", "contract_value", "expansion_potential")
_NUMBERS: Final = ("licensed_users", "size")
_DATES: Final = ("contract_start", "contract_end", "renewal")
_ACCOUNT_COLUMNS: Final = (
    *("id", "status", "customer", "tier", "phase", "progress", "reason", *_NUMBERS),
    *(column for name in _MONEY for column in (name, f"{name}_currency")),
    *_DATES,
    *("signals", "traits", "known_at"),
)
_ITEM_COLUMNS: Final = (
    *("id", "kind", "status", "title", "colour", "probability", "impact", "priority", "owner", "account", "due", "overdue"),
    *("value", "value_currency", "begun_at", "changed_at"),
)
_NANO: Final = 10**9

Reader = Annotated[Principal, Depends(require("read"))]


def router(pool: asyncpg.Pool, *, clock: Clock) -> APIRouter:
    """`/v1/accounts` and `/v1/items`, of the key's tenant."""
    made = APIRouter(prefix="/v1", tags=["records"])
    grounds = Grounds()
    _add_accounts(made, pool, clock, grounds)
    _add_items(made, pool, clock, grounds)
    return made


def _add_accounts(made: APIRouter, pool: asyncpg.Pool, clock: Clock, grounds: Grounds) -> None:
    @made.get(
        "/accounts",
        summary="Accounts as they stand now, by their ids",
        description="Traits are filters, too: `?account.region=eu,us`.",
        responses=documents_customers.ACCOUNTS,
    )
    async def list_accounts(
        request: Request,
        principal: Reader,
        account: documents.Text = None,
        status: documents.Text = None,
        tier: documents.Text = None,
        cursor: documents.Cursor = None,
        limit: documents.Limit = PAGE_ROWS,
        format: documents.Format = None,  # the parameter's name
    ) -> Response:
        del format  # documented here, read with the header Accept
        after = read_cursor(cursor, str)
        wanted = AccountSelection(
            read_values("account", account),
            read_values("status", status, ACCOUNT_STATUSES),
            read_values("tier", tier, TIERS),
            _traits(request.query_params),
        )
        async with pool.acquire() as connection:
            ground = await grounds.now(connection, principal.tenant, now_us=clock.now_us())
            found = await accounts.page(connection, principal.tenant, wanted, after=after, limit=limit + 1)
        cut, config = found[:limit], ground.configs.at(ground.now_us)
        last = write_cursor(cut[-1].account) if len(found) > limit else None
        return answer_page(request, "accounts", _ACCOUNT_COLUMNS, [_account(one, config) for one in cut], last)


def _add_items(made: APIRouter, pool: asyncpg.Pool, clock: Clock, grounds: Grounds) -> None:
    @made.get("/items", summary="Tracked items as they stand now, the last changed first", responses=documents_customers.ITEMS)
    async def list_items(
        request: Request,
        principal: Reader,
        kind: documents.Text = None,
        status: documents.Text = None,
        colour: documents.Text = None,
        owner: documents.Text = None,
        account: documents.Text = None,
        overdue: Annotated[bool, Query(description="Only those that are open, and due before today")] = False,  # noqa: FBT002
        cursor: documents.Cursor = None,
        limit: documents.Limit = PAGE_ROWS,
        format: documents.Format = None,  # the parameter's name
    ) -> Response:
        del format  # documented here, read with the header Accept
        after = read_cursor(cursor, tuple[Big, str])
        statuses = read_values("status", status, STATUSES)
        check_value("colour", colour, COLOURS)
        async with pool.acquire() as connection:
            ground = await grounds.now(connection, principal.tenant, now_us=clock.now_us())
            config, today = ground.configs.at(ground.now_us), day_of(ground.now_us, ground.zone)
            day = EPOCH + timedelta(days=today)
            wanted = ItemSelection(kind, statuses, colour, owner, account, day if overdue else None)
            found = await items.page(
                connection, principal.tenant, wanted, colours=config.items.colours, after=after, limit=limit + 1
            )
        cut = found[:limit]
        last = write_cursor((cut[-1].changed_us, cut[-1].subject)) if len(found) > limit else None
        return answer_page(request, "items", _ITEM_COLUMNS, [_item(one, day.isoformat()) for one in cut], last)


def _traits(parameters: QueryParams) -> dict[str, list[str]]:
    """The traits that accounts are chosen by; raises InvalidQuery for what no trait can be."""
    found = {name: told for name, told in parameters.items() if name.startswith(_TRAIT)}
    if len(found) > MAX_TRAITS:
        raise InvalidQuery("account.NAME", f"{len(found)} traits are more than {MAX_TRAITS}: choose by fewer")
    for name, told in found.items():
        if "\0" in name + told:
            raise InvalidQuery(_TRAIT + "NAME", "holds NUL, which no trait does")
    return {name.removeprefix(_TRAIT): told.split(",") for name, told in found.items()}


def _account(one: Account, config: TenantConfig) -> dict[str, Any]:
    """An account as a row: money in minor units with its currency beside it."""
    told = one.values
    row: dict[str, Any] = {"id": one.account} | {name: told.get(name) for name in ("status", "tier", "phase", "reason", *_DATES)}
    row["customer"] = told.get("status") in config.activity.customer_statuses
    row["progress"] = int(told["progress_nano"]) / _NANO if "progress_nano" in told else None
    row |= {name: int(told[name]) if name in told else None for name in _NUMBERS}
    for name in _MONEY:
        amount, _, currency = told.get(name, "").partition(" ")
        row |= {name: int(amount) if amount else None, f"{name}_currency": currency or None}
    return row | {"signals": _raised(one.signals), "traits": one.traits, "known_at": rfc3339(one.known_us)}


def _raised(signals: Mapping[str, bool]) -> Sequence[str]:
    """Signals that were raised last, not taken back."""
    return sorted(name for name, raised in signals.items() if raised)


def _item(one: Item, today: str) -> dict[str, Any]:
    described = ("kind", "status", "title", "colour", "probability", "impact", "priority", "owner", "account", "due")
    return (
        {"id": one.subject}
        | {name: getattr(one, name) or None for name in described}
        | {"overdue": one.status != "closed" and one.due != "" and one.due < today}
        | {"value": None if one.value is None else int(one.value), "value_currency": one.currency}
        | {"begun_at": rfc3339(one.begun_us), "changed_at": rfc3339(one.changed_us)}
    )
