"""The events of a KPI's page: those that its head names, else one of each family that it is computed from."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from service.catalog import Kpi
from service.catalog.kpi import EventShown
from service.domain.families.registry import FAMILIES

_FAMILIES: Final = {family.name: family for family in FAMILIES}


def examples(kpi: Kpi, families: Sequence[str]) -> list[dict[str, Any]]:
    """Envelopes whose events give a KPI of these families a figure, all of them together; each has an id of its own.

    A formula that names none has those of the KPIs that it is made of.
    """
    numbers: Counter[str] = Counter()
    unlike: list[EventShown] = []
    for each in _named(kpi, families):
        if each not in unlike:
            unlike.append(each)
    made = []
    for each in unlike:
        numbers[each.family] += 1
        made.append(_envelope(each, numbers[each.family]))
    return made


def _named(kpi: Kpi, families: Sequence[str]) -> Iterable[EventShown]:
    if kpi.head.event:
        return kpi.head.event
    if kpi.formula is None:
        return [EventShown(name) for name in families]
    of_parts = [each for part in kpi.formula.kpis.values() for each in _named(part, ())]
    told = {each.family for each in of_parts}
    return [*of_parts, *(EventShown(name) for name in families if name not in told)]


def _envelope(each: EventShown, number: int) -> dict[str, Any]:
    """The event of a family, with what differs."""
    envelope = dict(_FAMILIES[each.family].example)
    given = {"time": each.time, "subject": each.subject, "account": each.account, "data": each.data}
    envelope |= {"id": f"{str(envelope['id']).rpartition('-')[0]}-{number}"} | {name: of for name, of in given.items() if of}
    if each.account == "":
        envelope.pop("account", None)
    # As they stand in a request: what an event is about before what it says.
    return {name: envelope[name] for name in envelope if name != "data"} | {"data": envelope["data"]}
