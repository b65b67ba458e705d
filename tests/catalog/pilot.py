"""Filling the sets, states, milestones, steps and quarters with the pilot week, event by event."""

import random
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import asyncpg

from service.clock import SECOND, to_us
from service.demo import pilot
from tests.catalog.health import Probe, store_probes, store_steps
from tests.catalog.people import Told, Use, store_milestones, store_people, store_statuses
from tests.catalog.support import Step, Ticket, store_tickets

FAMILIES = ("usage", "user", "account", "probe", "incident", "ticket")
Event = Mapping[str, Any]


async def store_pilot_week(connection: asyncpg.Connection, tenant: int) -> None:
    """Write what the folds would make of the week; copies of an event count once, whenever they come."""
    events = {(event["source"], event["id"]): event for event in pilot.events([f"io.tidegauge.{name}.v1" for name in FAMILIES])}
    of = {name: [event for event in events.values() if event["type"] == f"io.tidegauge.{name}.v1"] for name in FAMILIES}
    uses = [
        Use(datetime.fromisoformat(event["time"]).date(), event["subject"], event["data"]["feature"], event.get("account", ""))
        for event in of["usage"]
    ]
    traits: dict[str, dict[str, str]] = {}
    for event in of["user"]:
        traits.setdefault(event["subject"], {}).update(event["data"].get("traits", {}))
    await store_people(connection, tenant, uses, traits=traits, known=sorted(traits))
    await store_statuses(connection, tenant, _told(of["user"], "status"))
    await store_milestones(connection, tenant, _told(of["user"], "milestone"))
    accounts = [{**event, "account": event["subject"]} for event in of["account"]]
    known = [Told(event["subject"], at(event), "~known", event["subject"], "/s", event["id"]) for event in accounts]
    await store_statuses(connection, tenant, _told(accounts, "status"), kind="account")
    await store_milestones(connection, tenant, [*known, *_told(accounts, "milestone")], kind="account")
    probes = [
        Probe(at(event) // SECOND, event["data"]["interval_s"], up=event["data"]["up"], component="web") for event in of["probe"]
    ]
    await store_probes(connection, tenant, probes)
    steps: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
    for event in of["incident"]:
        steps.setdefault(event["subject"], []).append((at(event), event["data"]))
    for subject, told in steps.items():
        await store_steps(connection, tenant, subject, told)
    await store_tickets(connection, tenant, _tickets(of["ticket"]), random.Random(1))


def _tickets(events: list[Any]) -> list[Ticket]:
    steps: dict[str, list[Step]] = {}
    for event in events:
        steps.setdefault(event["subject"], []).append((at(event), {**event["data"], "account": event["account"]}))
    return [Ticket(subject, told) for subject, told in steps.items()]


def at(event: Event) -> int:
    """The instant of an event, in microseconds."""
    return to_us(datetime.fromisoformat(event["time"]))


def _told(events: list[Any], field: str) -> list[Told]:
    return [
        Told(event["subject"], at(event), event["data"][field], event.get("account", ""), event["source"], event["id"])
        for event in events
        if field in event["data"]
    ]
