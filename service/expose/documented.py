"""A page a KPI and their index, in Markdown, from what the heads of the catalog say."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from service.catalog import Catalog, Kpi
from service.catalog.choices import limit_name
from service.catalog.kpi import MAIN, Suggestion
from service.catalog.loader import is_of_operator
from service.catalog.scoring import READS
from service.catalog.statement import statement
from service.domain.families.registry import FAMILIES
from service.expose.examples import examples
from service.expose.live import metric_name

INDEX = "README.md"
CHAPTERS = (
    "Adoption and engagement",
    "Delivery SLA",
    "Service level",
    "Incidents",
    "Support",
    "Satisfaction",
    "Revenue and customers",
    "Scores",
)
_OF_FACTS = {"meter": "measurement", "session": "usage"}
_OF_EVERY = frozenset({"receipt", "delay", "source_quarter"})
"""Facts and rollups that every event fills, whatever its family."""
_OF_TABLES = (
    ("activity_day", "usage"),
    ("active_count", "usage"),
    ("activity_week", "usage"),
    ("activity_half", "usage"),
    ("app_user", "usage"),
    ("reached", "usage"),
    ("reached", "user"),
    ("session_quarter", "usage"),
    ("user_feature_week", "usage"),
    ("use_day", "usage"),
    ("seat", "usage"),
    ("probe_quarter", "probe"),
    ("ticket", "ticket"),
    ("tracked_delivery", "delivery"),
)
"""Rollups, each with a family that fills it; those of several families name it in the statement."""
_FEATURES = ("csv_export", "dashboard")
"""Those of the events that are shown."""
_LIMIT_MS = 300
_SHARED = re.compile(r"(?:family|kind) = '([a-z]+)'")
_KINDS: Mapping[str, str] = {
    "count": "a count",
    "mean": "a mean",
    "ratio": "a ratio",
    "durations": "durations, one by one",
    "score": "a score",
}


def pages(catalog: Catalog) -> dict[str, str]:
    """Every page by the name of its file."""
    return {INDEX: _index(catalog), **{f"{kpi.id}.md": page(kpi) for kpi in catalog.kpis.values()}}


def families_of(kpi: Kpi) -> list[str]:
    """The event families that a KPI is computed from, in the order of the contract."""
    known = [family.name for family in FAMILIES]
    return [name for name in known if name in _needed(kpi)]


def page(kpi: Kpi) -> str:
    """The page of one KPI."""
    head = kpi.head
    rows = [
        ("id", f"`{kpi.id}`"),
        ("unit", _unit(head.unit)),
        ("formula", f"`{head.formula}`") if head.formula else ("kind", _KINDS.get(head.kind, "a distribution")),
        ("better", {"neither": "neither higher nor lower"}.get(head.better, head.better)),
        ("computed from", "events of every family" if _is_of_every(kpi) else f"{_listed(families_of(kpi))} events"),
        ("split and filtered by", _listed(kpi.dimensions) or "nothing"),
        ("windows", _windows(kpi)),
        ("usual target", _target(kpi)),
        ("kept current", _live(kpi)),
        *_origin(kpi),
        ("in Prometheus", _gauges(kpi)),
    ]
    parts = [
        f"# {head.title}",
        f"`{head.formula}`." if head.definition == head.formula else f"{head.definition[:1].upper()}{head.definition[1:]}.",
        "| | |\n|---|---|\n" + "\n".join(f"| {name} | {_cell(text)} |" for name, text in rows),
        *_notes(kpi),
        "## Statistics\n" + "\n".join(_statistic(name, kpi) for name in kpi.statistics) if len(kpi.statistics) > 1 else "",
        "## Parameters\n" + "\n".join(_parameters(kpi)) if head.parameters else "",
        f"## Ask for it\n```sh\ncurl -sS -H \"Authorization: Bearer $TIDEGAUGE_KEY\" \\\n  '{_query(kpi)}'\n```",
        *_formulas(kpi),
        *_examples(kpi),
        f"[All KPIs]({INDEX})",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _index(catalog: Catalog) -> str:
    chapters = dict.fromkeys((*CHAPTERS, *(kpi.head.family for kpi in catalog.kpis.values())))
    parts = [
        "# KPIs",
        "What each means, what it is computed from, and how to ask for it. Made by `tidegauge kpi-docs` of the heads of the "
        "catalog's files, of the operator's own, and of a tenant's formulas; [Reading KPIs](../reading-kpis.md) says what holds "
        "for all of them.",
    ]
    for chapter in chapters:
        ours = [kpi for kpi in catalog.kpis.values() if kpi.head.family == chapter]
        lines = [
            f"| [`{kpi.id}`]({kpi.id}.md) | {_cell(kpi.head.title)} | {_unit(kpi.head.unit)} | {_target(kpi)} |" for kpi in ours
        ]
        if lines:
            parts.append(f"## {chapter}\n| KPI | | unit | usual target |\n|---|---|---|---|\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _needed(kpi: Kpi) -> set[str]:
    if kpi.formula is not None:
        return {name for one in kpi.formula.kpis.values() for name in _needed(one)}
    if kpi.head.kind == "score":
        return {"account"} | {name for one in READS[kpi.id] if one in kpi.beside for name in _needed(kpi.beside[one])}
    if kpi.head.facts is not None and kpi.head.facts.kind in _OF_EVERY:
        return {family.name for family in FAMILIES}
    facts = {_OF_FACTS.get(kpi.head.facts.kind, kpi.head.facts.kind)} if kpi.head.facts is not None else set()
    text = statement(kpi, (), frozenset()).text
    words = set(re.findall(r"[a-z_]+", text))
    if words & _OF_EVERY:
        return {family.name for family in FAMILIES}
    return facts | {family for table, family in _OF_TABLES if table in words} | set(_SHARED.findall(text))


def _origin(kpi: Kpi) -> list[tuple[str, str]]:
    """Where a KPI is declared that does not come with tidegauge."""
    if is_of_operator(kpi):
        return [("declared in", f"the operator's own file `{Path(kpi.file).name}`")]
    return [] if kpi.file else [("declared in", "the tenant's configuration, as `[[formula]]`")]


def _is_of_every(kpi: Kpi) -> bool:
    return len(families_of(kpi)) == len(FAMILIES)


def _notes(kpi: Kpi) -> list[str]:
    head, notes = kpi.head, []
    if head.required:
        notes.append(f"Nothing is added up across {_listed(head.required)}: name one, or split by it.")
    if head.apart:
        notes.append(f"Nothing is added up across {_listed(head.apart)}: where there are several, each has its row.")
    if head.platform_wide:
        notes.append("For one account, what names no account counts too.")
    if head.whole_days:
        notes.append("Windows are whole local days.")
    return [" ".join(notes)] if notes else []


def _statistic(name: str, kpi: Kpi) -> str:
    statistic = kpi.statistics[name]
    unit = "" if name == "count" and not statistic.unit else f" ({_unit(statistic.unit)})"
    return f"- {'the plain value' if name == MAIN else f'`{name}`'}: {statistic.title}{unit}"


def _parameters(kpi: Kpi) -> Iterable[str]:
    for name, parameter in kpi.head.parameters.items():
        values = _listed(parameter.values) or ("to be named" if parameter.feature else "a number")
        default = f"`{parameter.default}`" if parameter.default else "there is no value" if parameter.feature else "as declared"
        yield f"- `{name}`: {parameter.title}; {values}; without it {default}"


def _query(kpi: Kpi) -> str:
    needed = [name for name in kpi.head.required if name != "meter"]
    free = [name for name in kpi.head.dimensions if not name.endswith("*") and name not in kpi.head.required]
    meter = ["meter=web_vital.lcp"] if "meter" in kpi.head.required else []
    by = ",".join(needed or free[:1])
    features = (name for name, each in kpi.head.parameters.items() if each.feature)
    named = [f"{name}={feature}" for name, feature in zip(features, _FEATURES, strict=False)]
    parameters = [f"window={kpi.head.default_window}", *meter, *named, *([f"by={by}"] if by else [])]
    return f"http://127.0.0.1:8080/v1/kpis/{kpi.id}?{'&'.join(parameters)}"


def _formulas(kpi: Kpi) -> list[str]:
    """How a figure gets a gauge, a history and targets that the KPI has only once somebody says of what."""
    features = [name for name, each in kpi.head.parameters.items() if each.feature]
    if features:
        named = ",".join(f"{name}={feature}" for name, feature in zip(features, _FEATURES, strict=False))
        expression, own_id = f"{kpi.id}{{{named}}}", f"{kpi.id}_of_exports"
    elif "share_within" in kpi.statistics and not kpi.head.required:
        limit = f"{limit_name(kpi)}={_LIMIT_MS if limit_name(kpi) == 'limit_ms' else 1}"
        expression, own_id = f"{kpi.id}.share_within{{{limit}}}", f"{kpi.id}_within"
    else:
        return []
    return [
        "## Declare it\n"
        "Scorecards, targets, goals, alerts, Prometheus and the history have it once it is declared as a KPI of its own:\n"
        f'```toml\n[[formula]]\nid = "{own_id}"\nexpression = "{expression}"\nunit = "ratio"\n```'
    ]


def _examples(kpi: Kpi) -> list[str]:
    shown = examples(kpi, families_of(kpi)[:1] if _is_of_every(kpi) else families_of(kpi))
    title = "An event that counts" if len(shown) == 1 else "Events that count, together"
    texts = (f"```json\n{json.dumps(each, indent=2, ensure_ascii=False)}\n```" for each in shown)
    return [f"## {title}\n" + "\n".join(texts)]


def _windows(kpi: Kpi) -> str:
    named = _listed(name for name in kpi.head.windows if kpi.takes(name))
    own = "; any `start` and `end`" if kpi.head.custom else ""
    return f"{named}{own}; without one `{kpi.head.default_window}`"


def _target(kpi: Kpi) -> str:
    return "; ".join(_suggested(kpi, statistic, each) for statistic, each in kpi.suggestions.items()) or "none"


def _suggested(kpi: Kpi, statistic: str, said: Suggestion) -> str:
    of = f"`{statistic}` " if statistic else ""
    to = f" and <= {said.up_to:g}" if said.up_to is not None else ""
    limit = f", at the least {said.op} {said.limit:g}" if said.limit is not None else ""
    minor = " in minor units" if "currency" in kpi.head.apart and not kpi.statistics[statistic].unit else ""
    return f"{'for example ' if said.example else ''}{of}{said.op} {said.target:.10g}{to}{limit}{minor}"


def _gauges(kpi: Kpi) -> str:
    if kpi.head.live is None:
        return "no gauge of its own"
    return _listed(dict.fromkeys(metric_name(kpi, each)[0] for each in kpi.statistics))


def _live(kpi: Kpi) -> str:
    live = kpi.head.live
    if live is None:
        return "once it is declared" if _formulas(kpi) else "no"
    splits = [f"by {' and '.join(by)}" for by in live.by if by]
    return (
        f"{_listed(live.windows)}{'; also ' + ', '.join(splits) if splits else ''}; closed days, weeks and months in the history"
    )


def _unit(unit: str) -> str:
    return unit or "as its events say"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
