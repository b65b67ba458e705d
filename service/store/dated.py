"""Dated values of accounts: the newest one before an instant, and money as it is kept."""

from typing import Final

KNOWN: Final = "kind = 'account' and milestone = '~known'"
"""The milestone of the first event about an account."""

FEW: Final = 8
"""Up to so many values an account are read all, to find the newest ones: of twelve it costs the same as to look them up."""


def newest(field: str, *, tenant: str, account: str, before_us: str) -> str:
    """The select of `value`, of one field of one account before an instant; no row where none was told."""
    return (
        f"select value from state_history where tenant = {tenant} and kind = 'account' and field = '{field}'"
        f" and who = {account} and account = {account} and time_us < {before_us}"
        ' order by time_us desc, source collate "C" desc, id collate "C" desc limit 1'
    )


def newest_of_all(field: str, *, tenant: str, before_us: str) -> str:
    """What `newest` gives for every account of a tenant, as one jsonb object: account → value.

    Read in one pass along the key, a seventh of looking up one after the other: unless the field was told more than `FEW` times
    an account, then it is null, and accounts are to be looked up by `newest`, whose cost does not grow with what was told.
    """
    return (
        f"case when {few_told(field, tenant=tenant)} then coalesce((\n"
        "  select jsonb_object_agg(t.who, t.value) from (select distinct on (who) who, value from state_history"
        f" where tenant = {tenant} and kind = 'account' and field = '{field}' and account = who and time_us < {before_us}\n"
        '  order by who, time_us desc, source collate "C" desc, id collate "C" desc) t\n'
        "), '{}') end"
    )


def few_told(field: str, *, tenant: str) -> str:
    """Whether a field was told so seldom that reading all of it, in one pass along the key, costs less than looking it up."""
    told = f"select from state_history where tenant = {tenant} and kind = 'account' and field = '{field}'"
    few = f"select {FEW} * count(*) from milestone where tenant = {tenant} and {KNOWN}"
    return f"(select count(*) from ({told} limit ({few})) t) < ({few})"


def newest_money(field: str, *, tenant: str, account: str, before_us: str) -> str:
    """The same as `amount` (numeric, minor units) and `currency`."""
    told = newest(field, tenant=tenant, account=account, before_us=before_us)
    return (
        f"select split_part(value, ' ', 1)::numeric as amount, split_part(value, ' ', 2) as currency from ({told} offset 0) told"
    )


def micros(instant: str) -> str:
    """An instant in microseconds since 1970, as times of events are kept."""
    return f"(extract(epoch from {instant}) * 1000000)::bigint"
