"""What holds between milestones, groups of features, and steps of a funnel: told even where one of them has another mistake."""

from collections.abc import Iterator, Mapping
from typing import Any

from service.domain.config.base import or_similar
from service.domain.config.lines import Path

Found = Iterator[tuple[Path, str]]


def related(data: Mapping[str, Any]) -> Found:
    """The mistakes between tables of a file's values; what has another form than it should is passed over."""
    milestones = _tables(data.get("milestones"))
    yield from _milestones({name: each for name, each in milestones.items() if isinstance(name, str)})
    funnels = _tables(data.get("funnel"))
    yield from _once(("funnel",), funnels, "a funnel")
    yield from _groups(_tables(data.get("features")), data.get("feature_groups"))
    for index, each in funnels.items():
        yield from _funnel(("funnel", index, "steps"), each)


def _groups(features: Mapping[str | int, Mapping[str, Any]], groups: object) -> Found:
    for name, each in features.items():
        if isinstance(groups, dict) and name in groups and each.get("frequency") is True:
            yield (
                ("features", str(name), "frequency"),
                f"{name} is a group: uses are kept by feature, declare it of those",
            )


def _tables(value: object) -> dict[str | int, Mapping[str, Any]]:
    """The tables in a table or a list, by their names or places."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {key: each for key, each in items if isinstance(each, dict)}


def _milestones(milestones: Mapping[str, Mapping[str, Any]]) -> Found:
    parts = {name: _texts(each.get("all_of")) for name, each in milestones.items()}
    for name, own in parts.items():
        circle = _circle(name, parts)
        if circle:
            yield ("milestones", name, "all_of"), f"{name} is derived of itself: {' of '.join(circle)}"
        for index, part in own.items():
            if part != name and part in milestones and milestones[part].get("account") is True:
                message = f"{part} is a milestone of an account: name milestones of its users"
                yield ("milestones", name, "all_of", index), message


def _circle(name: str, parts: Mapping[str, Mapping[int, str]]) -> list[str]:
    """The way from a milestone back to itself through what it is derived of; [] where there is none."""
    came_from: dict[str, str] = {}
    waiting = [name]
    while waiting:
        at = waiting.pop()
        for part in parts.get(at, {}).values():
            if part == name:
                return [name, *_way_back(at, name, came_from)]
            if part not in came_from:
                came_from[part] = at
                waiting.append(part)
    return []


def _way_back(at: str, name: str, came_from: Mapping[str, str]) -> list[str]:
    """The steps between a milestone and itself, and itself again."""
    between: list[str] = []
    while at != name:
        between.append(at)
        at = came_from[at]
    return [*reversed(between), name]


def _funnel(path: Path, funnel: Mapping[str, Any]) -> Found:
    steps = _tables(funnel.get("steps"))
    yield from _once(path, steps, "a step")
    before: list[str] = []
    for place, step in steps.items():
        name, base = step.get("name"), step.get("base")
        if isinstance(base, str) and base not in before:
            way_out = f"name one of {', '.join(before)}" if before else "leave it out"
            yield (*path, place, "base"), f"{base} is no step before this one{or_similar(base, before)}; {way_out}"
        if funnel.get("ordered") is True and "accounts" in step:
            yield (*path, place, "accounts"), "an ordered funnel follows users: count `users` in each of its steps"
        if isinstance(name, str):
            before.append(name)


def _once(path: Path, tables: Mapping[str | int, Mapping[str, Any]], what: str) -> Found:
    """The names that an earlier table of a list has."""
    seen: set[str] = set()
    for place, each in tables.items():
        name = each.get("name")
        if isinstance(name, str):
            if name in seen:
                yield (*path, place, "name"), f"{name} is {what} already: give each its own name"
            seen.add(name)


def _texts(value: object) -> dict[int, str]:
    return {index: each for index, each in enumerate(value) if isinstance(each, str)} if isinstance(value, list) else {}
