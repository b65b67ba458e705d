"""What the head of a file says that cannot be."""

import re
from collections.abc import Collection

from service.catalog.kpi import MAIN, OF_DISTRIBUTION, Head
from service.catalog.windows import NAMES
from service.domain.families.registry import FAMILIES

_READ_OF_D = re.compile(r"\bd\s*(?:->>?|\?)\s*'([^']*)'")
_READ_OTHERWISE = re.compile(r"\bd\s*(?:@>|<@|#>>?|@\?|@@|\?[|&]|\[|::|-(?:>>|>(?!>))\s*[^'\s])|\(\s*(?:\w+\.)?d\s*[,)]")


def mistakes(head: Head, sql: str) -> list[str]:
    """What a head says that cannot be; [] for a sound one."""
    said = []
    if (head.kind == "formula") != bool(head.formula):
        said.append('kind: "formula" goes with a formula = "…", and no other kind does')
    if head.kind in {"distribution", "durations"} and head.default_statistic == MAIN:
        said.append('default_statistic: a distribution needs one, such as "p95" or "mean"')
    names = {*head.statistics, *(OF_DISTRIBUTION if head.kind in {"distribution", "durations"} else (MAIN,))}
    if head.default_statistic not in names:
        said.append(f"default_statistic: {head.default_statistic!r} is no statistic of this KPI")
    said += [
        f"statistics: {name}.of: {s.of!r} is no statistic" for name, s in head.statistics.items() if s.per and s.of not in names
    ]
    said += [
        f"statistics: {name}.below: goes with durations alone"
        for name, s in head.statistics.items()
        if s.below is not None and head.kind != "durations"
    ]
    said += [f"windows: {name!r} is no window: give some of {' '.join(NAMES)}" for name in head.windows if name not in NAMES]
    if head.default_window not in head.windows:
        said.append(f"default_window: {head.default_window!r} is not among its windows")
    if bool(head.together) != _mentions(sql, "splits"):
        said.append("together: names dimensions where the statement reads splits, and there alone")
    if head.test == "welch" and "squares" not in re.findall(r"\w+", sql):
        said.append("test: welch needs a statement that gives squares, the sum of the squares of what its means are of")
    if head.facts is None and (_mentions(sql, "facts") or _mentions(sql, "before")):
        said.append("facts: the statement reads them, so the head must say of which kind")
    said += _of_reads(head, sql)
    said += _of_suggestions(head, names)
    families = {family.name for family in FAMILIES}
    said += [f"event: there is no family {each.family!r}" for each in head.event if each.family not in families]
    if head.live is not None:
        said += [f"live.windows: {name!r} is not among its windows" for name in head.live.windows if name not in head.windows]
        said += [f"live.statistics: {name!r} is no statistic" for name in head.live.statistics if name not in names]
    return said


def _of_reads(head: Head, sql: str) -> list[str]:
    """What a statement reads of `d` that the head does not list, or in a way that cannot be told."""
    if head.facts is None or head.facts.reads is None:
        return []
    missing = sorted(set(_READ_OF_D.findall(sql)).difference(head.facts.reads))
    said = [f"facts.reads: {name!r} is missing, which the statement reads of d" for name in missing]
    if (found := _READ_OTHERWISE.search(sql)) is not None:
        said.append(f"facts.reads: {found[0]!r} may read anything of d: write d ->> 'NAME', or leave facts.reads out")
    return said


def _of_suggestions(head: Head, names: Collection[str]) -> list[str]:
    said = [f"suggestions: {name!r} is no statistic" for name in head.suggestions if name not in names]
    own = head.suggestion
    if own is not None and (own.statistic not in names or own.statistic in head.suggestions):
        said.append(f"suggestion: {own.statistic!r} is no statistic, or stands among suggestions too")
    said += [
        'suggestion: up_to is the other end of a range: write op = ">=", and no limit'
        for each in (*([own] if own else []), *head.suggestions.values())
        if each.up_to is not None and (each.op != ">=" or each.limit is not None or each.up_to < each.target)
    ]
    return said


def _mentions(sql: str, relation: str) -> bool:
    return f" {relation} " in f" {' '.join(sql.split())} "
