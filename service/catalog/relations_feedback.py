"""The relations of feedback: answers of a window, each user's newest ones, and who was invited."""

from collections.abc import Callable, Mapping
from typing import Final

from service.catalog.accounts import Accounts
from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.store.dated import micros, newest, newest_of_all

OF_EFFORT: Final = "(s.fields ->> 'survey' = 'ces' or s.fields ->> 'survey' like '%\\_ces')"
"""Surveys of effort are named so; all others but `nps` are of satisfaction."""
_FIELDS: Final = ("survey", "scale", "wave", "category", "about", "sentiment")
# What a user's newest answer is looked for within, where it is asked for: the account that it names among them.
_APART: Final = ("account", "wave", "quarter", "category", "about")
_OF_NEWEST: Final = ("tenant", "win", "subject", "time_us", "score", "dims")
_NEWEST: Final = 'a.time_us desc, a.source collate "C" desc, a.id collate "C" desc'


def answers(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:
    """`answers(tenant, win, subject, account, time_us, source, id, score, themes, survey, scale, wave, category … dims)`.

    Those of the window that pass the filters: of the survey `nps`, of surveys of effort for `ces`, else of satisfaction.
    """
    if head.id == "ces":
        which = OF_EFFORT
    elif "survey" in head.dimensions:
        which = f"s.fields ->> 'survey' <> 'nps' and not {OF_EFFORT}"
    else:
        which = "s.fields ->> 'survey' = 'nps'"
    return _asked(head, Asked.of(by, filtered), f"s.fields ->> 'action' = 'responded' and {which}")


def newest_answers(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`newest_answers(tenant, win, subject, time_us, score, dims)`: of the answers each user's newest one.

    Of each account, wave, quarter, category and thing where these are asked for, so that a row is what its filter finds. No
    more is told of them: they are sorted, and what else answers say would be read and carried along for each.
    """
    return _newest(Asked.of(by, filtered), "answers")


def earlier_answers(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:
    """`earlier_answers`: the same of the window before (of an open one the same part of it), under the window's number."""
    asked = Asked.of(by, filtered)
    rows = _asked(head, asked, "s.fields ->> 'action' = 'responded' and s.fields ->> 'survey' = 'nps'", wins="earlier_wins")
    return _newest(asked, f"(\n{rows}\n)")


def earlier_wins(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`earlier_wins(tenant, win, start_at, end_at, until_at)`: what each window is compared with, as `compare=before` does."""
    return (
        "select e.tenant, e.win, e.start_at, e.end_at, e.end_at as until_at\n"
        "from unnest(:win_tenant, :win_index, :win_earlier_start, :win_earlier_end) as e(tenant, win, start_at, end_at)"
    )


def themed(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:
    """`themed(tenant, win, dims)`: a row a theme of an answer, whatever the survey."""
    asked = Asked.of(by, filtered)
    rows = _asked(head, asked, "s.fields ->> 'action' = 'responded' and s.fields ? 'themes'")
    only = f"\nwhere t.theme = any({asked.values('theme')})" if "theme" in filtered else ""
    theme = f"a.dims || {asked.dims({'theme': 't.theme'})}"
    return (
        f"select a.tenant, a.win, {theme} as dims\nfrom (\n{rows}\n) a\n"
        f"cross join lateral jsonb_array_elements_text(a.themes) as t(theme){only}"
    )


def invitations(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:
    """`invitations(tenant, win, subject, survey, wave, time_us, dims)`: the first of a user, survey and wave in the window."""
    asked = Asked.of(by, filtered)
    keys = ["a.tenant", "a.win", "a.subject", "a.survey", "a.wave", *(["a.account"] if asked.names("account") else [])]
    rows = _asked(head, asked, "s.fields ->> 'action' = 'invited'")
    return f"select distinct on ({', '.join(keys)}) a.*\nfrom (\n{rows}\n) a\norder by {', '.join(keys)}, a.time_us"


def _newest(asked: Asked, rows: str) -> str:
    # Who answered first: so rows are told apart by the beginning of the first key, and not by tenants that are all the same.
    keys = ["a.subject", "a.win", "a.tenant", *(f"a.{name}" for name in _APART if asked.names(name))]
    shown = ", ".join(f"a.{name}" for name in _OF_NEWEST)
    return f"select distinct on ({', '.join(keys)}) {shown}\nfrom {rows} a\norder by {', '.join(keys)}, {_NEWEST}"


def _asked(head: Head, asked: Asked, condition: str, *, wins: str = "wins") -> str:
    """Steps of feedback in the window, one a row, with `dims`; tiers are those of accounts as of the window's end."""
    accounts, tiered = Accounts(asked, "s.account"), asked.names("tier")
    local = "(timestamptz 'epoch' + s.time_us * interval '1 microsecond') at time zone p.zone"
    own = {name: f"coalesce(s.fields ->> '{name}', '')" for name in _FIELDS} | {"quarter": f"""to_char({local}, 'YYYY"-Q"Q')"""}
    # As a case it is guessed to be true of half of the steps: of words in jsonb none are, and what few rows are grouped by is
    # sorted, jsonb compared with jsonb.
    told = [f"case when {condition} then true else false end"]
    told += [f"{own[name]} = any({asked.values(name)})" for name in head.dimensions if name in asked.filtered and name in own]
    kept, joins = accounts.conditions(), accounts.join("s")
    if asked.groups or tiered:
        dims = asked.dims({name: f"s.{name}" for name in own} | accounts.columns | {"tier": "coalesce(t.value, '')"})
        made = "null::jsonb"
    else:
        # What a row says of itself is made once, however many windows it is in.
        dims, made = "s.dims", asked.dims(own | accounts.columns)
        told, kept = told + kept, []
    if tiered:
        alone = newest("tier", tenant="s.tenant", account="s.account", before_us="s.until_us")
        joins += (
            "\ncross join lateral (select case when s.tier_told is not null then s.tier_told ->> s.account"
            f" else ({alone}) end as value offset 0) t"
        )
        kept += [f"coalesce(t.value, '') = any({asked.values('tier')})"] if "tier" in asked.filtered else []
    own_shown = {name: column for name, column in own.items() if name != "quarter" or asked.names("quarter")}
    names = ", ".join(f"s.{name}" for name in own_shown)
    return (
        f"select s.tenant, s.win, s.subject, s.account, s.time_us, s.source, s.id, s.score, s.themes, {names}, {dims} as dims\n"
        "from (\n"
        f"  select p.tenant, {'p.win, p.until_us, p.tier_told' if tiered else 'unnest(p.wins) as win'}, f.*\n"
        f"  from (\n{_with_tiers(wins) if tiered else _pieces(wins)}\n  ) p\n"
        "  cross join lateral (\n"
        "    select s.subject, s.account, s.time_us, s.source, s.id, (s.fields ->> 'score')::int as score,\n"
        f"      s.fields -> 'themes' as themes, {', '.join(f'{column} as {name}' for name, column in own_shown.items())},\n"
        f"      {made} as dims\n"
        "    from step s\n"
        "    where s.tenant = p.tenant and s.family = 'feedback' and s.time_us >= p.from_us and s.time_us < p.to_us\n"
        f"      and {' and '.join(told)}\n"
        "    offset 0\n"
        "  ) f\n"
        f") s{joins}" + (f"\nwhere {' and '.join(kept)}" if kept else "")
    )


def _pieces(wins: str) -> str:
    """Pieces of time `(tenant, zone, wins, from_us, to_us)`, each with the windows that it is in: none has a part of it.

    What windows that overlap have in common is read once so.
    """
    return f"""
select t.tenant, t.zone, p.* from (
  select w.tenant, d.config #>> '{{tenant,timezone}}' as zone, array_agg(w.win) as wins,
    array_agg({micros("w.start_at")}) as starts, array_agg({micros("w.end_at")}) as ends
  from {wins} w join declared d on d.tenant = w.tenant group by 1, 2 offset 0
) t cross join lateral (
  select array_agg(w.win) as wins, e.from_us, e.to_us from (
    select at as from_us, lead(at) over (order by at) as to_us from unnest(t.starts || t.ends) as u(at) group by at
  ) e join unnest(t.wins, t.starts, t.ends) as w(win, from_us, to_us) on w.from_us <= e.from_us and w.to_us >= e.to_us
  group by e.from_us, e.to_us offset 0
) p""".strip()


def _with_tiers(wins: str) -> str:
    """Windows as they are, for each has tiers of its own: `(tenant, zone, win, from_us, to_us, until_us, tier_told)`."""
    return f"""
select w.tenant, d.config #>> '{{tenant,timezone}}' as zone, w.win,
  {micros("w.start_at")} as from_us, {micros("w.end_at")} as to_us, {micros("w.until_at")} as until_us,
  {newest_of_all("tier", tenant="w.tenant", before_us=micros("w.until_at"))} as tier_told
from {wins} w join declared d on d.tenant = w.tenant offset 0""".strip()


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    "answers": answers,
    "newest_answers": newest_answers,
    "earlier_wins": earlier_wins,
    "earlier_answers": earlier_answers,
    "themed": themed,
    "invitations": invitations,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "answers": ("wins", "declared"),
    "newest_answers": ("answers",),
    "earlier_wins": (),
    "earlier_answers": ("earlier_wins", "declared"),
    "themed": ("wins", "declared"),
    "invitations": ("wins", "declared"),
}
