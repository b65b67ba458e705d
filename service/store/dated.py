"""Dated values of accounts: the newest one before an instant, and money as it is kept."""

from typing import Final

KNOWN: Final = "kind = 'account' and milestone = '~known'"
"""The milestone of the first event about an account."""


def newest(field: str, *, tenant: str, account: str, before_us: str) -> str:
    """The select of `value`, of one field of one account before an instant; no row where none was told."""
    return (
        f"select value from state_history where tenant = {tenant} and kind = 'account' and field = '{field}'"
        f" and who = {account} and account = {account} and time_us < {before_us}"
        ' order by time_us desc, source collate "C" desc, id collate "C" desc limit 1'
    )


def newest_money(field: str, *, tenant: str, account: str, before_us: str) -> str:
    """The same as `amount` (numeric, minor units) and `currency`."""
    told = newest(field, tenant=tenant, account=account, before_us=before_us)
    return (
        f"select split_part(value, ' ', 1)::numeric as amount, split_part(value, ' ', 2) as currency from ({told} offset 0) told"
    )


def micros(instant: str) -> str:
    """An instant in microseconds since 1970, as times of events are kept."""
    return f"(extract(epoch from {instant}) * 1000000)::bigint"
