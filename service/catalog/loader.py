"""Loading the catalog: every `.sql` file of a directory is one KPI, and a bad one is refused with its line.

How a file is written (docs/adr/0007 says why). It begins with comments that are, line by line, TOML: the
head, whose keys `Head` in kpi.py lists. What follows is one SELECT, without a semicolon:

    -- id = "delivery_success"
    -- title = "Deliveries that arrived"
    -- definition = "delivered ÷ finals"
    -- family = "Delivery SLA"
    -- unit = "ratio"
    -- kind = "ratio"
    -- better = "higher"
    -- dimensions = ["account", "integration", "direction"]
    -- [facts]
    -- kind = "delivery"
    -- where = "not d ? 'excluded' and d->>'outcome' in ('delivered', 'failed', 'dead_lettered')"
    -- [live]
    -- windows = ["1h", "7d"]
    -- by = [[], ["integration"]]
    select tenant, win, dims, '' as statistic,
           sum(n) filter (where d->>'outcome' = 'delivered') as numerator, sum(n) as denominator
    from facts group by tenant, win, dims

It answers for all tenants and windows at once, and returns
- `tenant int, win int, dims jsonb`: as they came from the relations below; dims hold only what was asked for
- kinds count, ratio, mean: `statistic text, numerator numeric, denominator numeric` (a count's denominator is null; 0 with
  a numerator of null where it could not be counted, and so has no value); with `test = "welch"` in the head
  `squares numeric` too: of means of so many values the sum of their squares, else null
- kind distribution: `n, total, least, greatest numeric, histogram bytea`, in nanoseconds or 10⁻⁹ of the unit, and
  a column for each statistic that the head adds (in the same 10⁻⁹)
- kind durations: `durations bigint[]`, in nanoseconds
- if it likes, `note text`: what a reader should know of this row.

Where an event of its families as the contract shows it gives it no figure, the head ends with those that do, each with what
differs from its family's: they stand on the KPI's page, and a test sends them.

    -- [[event]]
    -- family = "ticket"
    -- data = { action = "escalated", level = 2 }
    -- time = "2025-11-17T10:45:00Z"

A KPI that others give is a head alone, with `kind = "formula"` and `formula = "clv / cac"`, and no SELECT: operands are
`KPI`, `KPI.STATISTIC`, `KPI.STATISTIC{DIMENSION=VALUE}`, numbers, + - * / ( ) and `growth(KPI, PERIOD)` (domain/formula.py).
Its dimensions are those that all of its KPIs have (and what one of them keeps apart), its windows those of all, unless
the head names fewer. It has no value where one of them has none, or where it would divide by 0; the note says which.

Rows that have nothing may be left out: what is a count is then 0, all else has no value.

Relations it may read (those that it names are built):
- `wins(tenant int, win int, start_at, end_at, until_at timestamptz, first_day, last_day date, end_day date)`: until_at and
  last_day (included) say how far an open window has come; end_day is the first local day after the window
- `facts(tenant, win, dims, d jsonb, account, counted bool, n, total, least, greatest, newest_us, newest_source,
  newest_id, newest_value, histogram bytea)`: of the head's kind, inside the windows, filters applied, some rows a
  series; `dims` is made of what was asked for, `d` of all that the series has. Read it once only. Uses are kept of all
  accounts together, too: their `account` is '' unless accounts, or what groups them, are asked for. They are also kept
  of each account whatever the feature: with `reads`, which lists all that the file reads of `d`, fewer series tell it.
- `facts_in_pieces(tenant, win, dims, n, total, least, greatest, histogram bytea)`: of distributions the same added up by `dims`,
  as several rows where it is much: a file that names it gives these columns alone, and is asked for all of its rows
- `facts_added(tenant, win, dims, total)`: the totals of `facts` added up by `dims`; of uses `uses_asked(tenant, win, dims,
  quantity, note)` and, as `active`, `users_asked(tenant, win, dims, n)`: by users' traits, too (relations_uses.py)
- `before(tenant, win, dims, d jsonb, account, newest_us, newest_source, newest_id, newest_value)`: of meters, newest
  values before each window; empty unless the statistic `change` is wanted
- `minutes`, `quarters` `(tenant, win, lo, hi timestamptz)` and `spans(tenant, win, lo, hi date)`: the pieces
  that each window is cut into; together they are the window
- `days(tenant, win, day date, business bool)`: the local days of the window that have begun
- `declared(tenant, config jsonb)`: each tenant's configuration in its file's form, with all defaults
- `labels(tenant, feature, label)`: what the filter `feature` names: a feature under its own name, the features of a
  group under the group's (empty without that filter; `:only_feature` holds the names as they were asked for)
- `seconds`, `probe_counts`: of components (relations_seconds.py)
- `active`, `active_daily`, `user_days`, `user_weekdays`, `anyone`, `counted_days`, `expected`, `feature_rows`, `eligible`: active
  users, split and filtered as asked (relations_users.py); `base`, `logged_in`, `provisioned_users`, `licensed_users`,
  `activated_users`: as of the window's end (relations_people.py);
  `newcomers`, `turnover`, `repeat_visits` (relations_sets.py), `user_cohorts` (relations_retention.py)
- `known_accounts`, `milestone_times` (relations_activation.py), `funnel_steps`, `funnel_counts` (relations_funnel.py)
- `cases`, `incidents_asked`, `severities`: incidents (relations_cases.py)
- `accounts_at_start`, `accounts_at_end`, `customers_moved`, `cohorts`, `first_customers`, `contracts`, `renewals`: accounts as of
  the window's ends (relations_customers.py); `costs`, `burned`, `balances`, `elapsed_months` (relations_economics.py)
- `answers`, `newest_answers`, `invitations`, `themed` (relations_feedback.py), `at_risk_cases`, `recovered_cases`,
  `recovered_money` (relations_recovery.py), `tracked` (relations_items.py)
- `open_sessions` (relations_sessions.py), `adoption`, `used`, `power` (relations_features.py), `overdue`
  (relations_deliveries.py), `freshness_minutes`, `source_ages` (relations_sources.py)
- `slos`, `slo_counts`; `budget_slos`, `budget_counts`: over the windows that error budgets are over (relations_slo.py)
- `splits(split int, dropped text[])`: which splits are asked for at once. A file reads it whose head names dimensions by which
  its rows may come together (`together`): it groups by `dims - dropped` and `split` and gives `split` with each row
None of these names may be given to a table or an alias of the file's own (taken.py).
A relation with an account column takes traits and bands of accounts by `Accounts` (accounts.py).
Parameters: `:by` (text[], the dimensions asked for), `:statistics` (text[], those that
are wanted), `:noted` (boolean, whether notes are), `:filters` (jsonb, dimension → list of values), for a
dimension of the head `:only_NAME` (text[], null when not filtered) and every parameter of the head, `:days`.
"""

import re
from collections.abc import Collection, Mapping
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import msgspec

from service.catalog.declared import default_window
from service.catalog.formulas import FORMULA, Pending, live_where_its_kpis_are, resolve, shape_of_kpi
from service.catalog.heads import mistakes
from service.catalog.kpi import Head, Kpi
from service.catalog.scoring import READS
from service.catalog.statement import RELATIONS, unknown_placeholders
from service.catalog.taken import taken_names
from service.domain.config import KpiShape, TenantConfig
from service.domain.config.lines import Lines

KPIS = Path(__file__).with_name("kpis")
SQL = "sql"
SCORE = "score"
_ID = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that is no KPI, and why."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    """All KPIs by id, in the order of their ids, and the files that were refused. Compared by identity."""

    kpis: Mapping[str, Kpi] = field(default_factory=dict)
    refused: tuple[Refusal, ...] = ()

    @classmethod
    def load(cls, *directories: Path, refused: Collection[Refusal] = ()) -> Self:
        """Read every `.sql` file of the directories (without one: those that come with tidegauge).

        A bad file is refused with its line, and the others go on; of two files of one id the later is refused, and those
        that are `refused` already stay so, with the formulas that name them.
        """
        kpis: dict[str, Kpi] = {}
        formulas: dict[str, Pending] = {}
        files: dict[str, str] = {}
        known = {each.file: each for each in refused}
        refused = []
        for path in (path for directory in directories or (KPIS,) for path in sorted(directory.glob("*.sql"))):
            read = known.get(str(path)) or _read(path)
            if isinstance(read, Refusal):
                refused.append(read)
                continue
            name = read.head.id
            if name in files:
                refused.append(Refusal(str(path), 1, f"id: {name!r} is that of {files[name]} already"))
                continue
            files[name] = str(path)
            if isinstance(read, Kpi):
                kpis[name] = read
            else:
                formulas[name] = read
        made, wrong = resolve(formulas, kpis)
        for kpi in made.values():
            if is_of_operator(kpi) and kpi.head.live is None:
                kpi.head = msgspec.structs.replace(kpi.head, live=live_where_its_kpis_are(kpi))
        refused += [_refusal(formulas[name], message) for name, message in wrong.items()]
        return cls(with_scores(dict(sorted({**kpis, **made}.items()))), tuple(refused))

    def shapes(self) -> Mapping[str, KpiShape]:
        """What the check of a configuration needs to know of each KPI."""
        return {name: shape_of_kpi(kpi) for name, kpi in self.kpis.items()}


def is_of_operator(kpi: Kpi) -> bool:
    """Whether it is of a file of an operator's own: not of the common catalog, and of no tenant's configuration."""
    return bool(kpi.file) and Path(kpi.file).parent != KPIS


def with_scores(kpis: Mapping[str, Kpi]) -> Mapping[str, Kpi]:
    """The same KPIs, with scores that read these."""
    made = {name: copy(kpi) if kpi.head.kind == SCORE else kpi for name, kpi in kpis.items()}
    for kpi in made.values():
        if kpi.head.kind == SCORE:
            kpi.beside = made
    return made


def _read(path: Path) -> Kpi | Pending | Refusal:
    try:
        toml, sql, length = _parts(path)
    except (OSError, UnicodeDecodeError) as error:
        return Refusal(str(path), 1, f"cannot be read: {error}")
    try:
        head = msgspec.toml.decode(toml, type=Head)
    except msgspec.ValidationError as error:
        return Refusal(str(path), Lines(toml).of(_path_in(str(error))), str(error))
    except msgspec.DecodeError as error:
        at = re.search(r"line (\d+)", str(error))
        return Refusal(str(path), int(at[1]) if at else 1, f"the head is no TOML: {error}")
    said = _mistakes(head, sql, name=path.stem)
    if said:
        key, _, _ = said[0].partition(":")
        line = length + 1 if key == SQL else Lines(toml).of(tuple(key.split(".")))
        return Refusal(str(path), line, "; ".join(said))
    for after, message in taken_names(sql, RELATIONS):
        return Refusal(str(path), line_of_statement(path) + after, f"{SQL}: {message}")
    if head.kind == FORMULA:
        return Pending(head, str(path), frozenset(msgspec.toml.decode(toml, type=dict[str, Any])))
    return Kpi(head, sql, file=str(path), is_guest=path.parent != KPIS)


def line_of_statement(path: Path) -> int:
    """The line of a file, from 1, at which its statement begins."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("--")), 1)


def line_of_key(path: Path, *keys: str) -> int:
    """The line of a file at which a key of its head stands."""
    return Lines(_parts(path)[0]).of(keys)


def _parts(path: Path) -> tuple[str, str, int]:
    """The head as TOML, the statement, and how many lines the head has."""
    lines = path.read_text(encoding="utf-8").splitlines()
    length = next((index for index, line in enumerate(lines) if not line.startswith("--")), len(lines))
    toml = "\n".join(line.removeprefix("--").removeprefix(" ") for line in lines[:length])
    return toml, "\n".join(lines[length:]).strip(), length


def _refusal(formula: Pending, message: str) -> Refusal:
    key, _, _ = message.partition(":")
    toml, _, _ = _parts(Path(formula.file))
    return Refusal(formula.file, Lines(toml).of((key,)), message)


def _mistakes(head: Head, sql: str, *, name: str) -> list[str]:
    said = mistakes(head, sql)
    if not _ID.fullmatch(head.id) or head.id != name:
        said.append(f"id: {head.id!r} must be the file's name, in lower-case letters, digits and _")
    if default_window(head, TenantConfig()) not in head.windows:
        said.append(f"default_window_from: {head.default_window_from!r} decides on none of its windows")
    if head.kind == FORMULA and sql:
        said.append(f"{SQL}: a formula stands alone: leave the statement out")
    if head.kind == SCORE and (sql or head.id not in READS):
        said.append(f"{SQL}: a score is one of {', '.join(READS)}, and has no statement")
    if head.kind not in {FORMULA, SCORE} and (not sql or ";" in sql):
        said.append(f"{SQL}: one SELECT without a semicolon must follow the head")
    return said + [f"{SQL}: :{each} is no parameter of this KPI" for each in unknown_placeholders(head, sql)]


def _path_in(message: str) -> tuple[str, ...]:
    """The keys that a message of msgspec names: ``unknown field `beter` - at `$.facts` ``."""
    place = re.search(r"at `\$\.?([^`]*)`", message)
    unknown = re.search(r"unknown field `([^`]*)`", message)
    keys = re.findall(r"[^.\[\]]+", place[1]) if place else []
    return (*(key for key in keys if not key.isdigit()), *([unknown[1]] if unknown else []))
