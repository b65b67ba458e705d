"""Accounts that are asked for by their name: one that no event names is told so."""

from service.errors import InvalidQuery, NotFound
from service.store.accounts import is_named
from service.store.engine import Connection

MAX_ACCOUNT_CHARACTERS = 256


async def check_account(connection: Connection, tenant: int, account: str) -> None:
    """Raises InvalidQuery for what is no account's name, NotFound for an account that no event names."""
    if not account:
        raise InvalidQuery("account", "is empty: name an account, or leave it out")
    if len(account) > MAX_ACCOUNT_CHARACTERS or "\0" in account:
        raise InvalidQuery("account", f"is no account: at most {MAX_ACCOUNT_CHARACTERS} characters, without NUL")
    if not await is_named(connection, tenant, account):
        raise NotFound(f"no event names an account {account!r}: GET /v1/accounts lists those that events told of")
