"""The folds again, in plain Python over the list of rows: what every fold must give, to the last bit."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from service.aggregate.context import FoldContext
from service.domain.families.rows import (
    AccountRow,
    DeliveryRow,
    FeedbackRow,
    IncidentRow,
    ItemRow,
    MeasurementRow,
    ProbeRow,
    RecoveryRow,
    RequestRow,
    Row,
    TicketRow,
    UsageRow,
    UserRow,
)
from service.domain.foldconfig import FoldConfig
from tests.folds.slo_oracle import counts_for, is_live

MINUTE, QUARTER, SECOND, WEEK = 60_000_000, 900_000_000, 1_000_000, 7 * 86_400_000_000
NANO = 10**9


@dataclass
class Fact:
    """One fact, added up value by value."""

    n: int = 0
    total: int = 0
    least: int | None = None
    greatest: int | None = None
    newest: tuple[int, str, str, int] | None = None
    histogram: dict[int, int] = field(default_factory=dict)

    def add(self, count: int, total: int, value: int | None, moment: tuple[int, str, str] | None) -> None:
        self.n += count
        self.total += total
        if value is None:
            return
        self.least = value if self.least is None else min(self.least, value)
        self.greatest = value if self.greatest is None else max(self.greatest, value)
        self.histogram[bin_of(value)] = self.histogram.get(bin_of(value), 0) + count
        if moment is not None:
            self.newest = max(self.newest or (*moment, value), (*moment, value))


@dataclass
class Oracle:
    """Everything that deltas can hold, by its key."""

    facts: dict[tuple[Any, ...], Fact] = field(default_factory=dict)
    activity: set[tuple[Any, ...]] = field(default_factory=set)
    users: set[tuple[int, str]] = field(default_factory=set)
    states: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    milestones: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    steps: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    probes: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)
    sessions: dict[tuple[Any, ...], tuple[int, int]] = field(default_factory=dict)
    frequency: dict[tuple[Any, ...], int] = field(default_factory=dict)
    tracked: dict[tuple[int, str], tuple[tuple[Any, ...], int | None]] = field(default_factory=dict)
    """By delivery: the earliest acceptance as it was told, and the earliest final."""
    slos: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)
    """By tenant and SLO: the live events that were good, and all of them."""


def bin_of(value: int) -> int:
    """v^64 has as many binary digits as the number of the bin that v lies in."""
    return (abs(value) ** 64).bit_length() * (1 if value > 0 else -1)


def local_day(time_us: int, zone: str) -> int:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)
    return (at.astimezone(ZoneInfo(zone)).date() - date(1970, 1, 1)).days


def time_of(row: Row) -> int:
    return row.received_us if row.time_us is None else row.time_us


class Folding:
    """Takes rows one by one."""

    def __init__(self, context: FoldContext) -> None:
        self.context = context
        self.made = Oracle()

    def config(self, row: Row, time_us: int) -> FoldConfig:
        tenant = self.context.configs[row.tenant]
        chosen = tenant.versions[0]
        for valid_from_us, version in zip(tenant.valid_from_us, tenant.versions, strict=True):
            if valid_from_us <= time_us:
                chosen = version
        return chosen

    def fact(
        self,
        row: Row,
        kind: str,
        dims: Mapping[str, str],
        count: int,
        *,
        time_us: int,
        value: int | None = None,
        total: int = 0,
        newest: bool = False,
        account: str | None = None,
    ) -> None:
        text = json.dumps({k: v for k, v in sorted(dims.items()) if v}, ensure_ascii=False, separators=(",", ":"))
        day = local_day(time_us, self.config(row, time_us).timezone)
        buckets = [("day", day)]
        minute, quarter = time_us // MINUTE * MINUTE, time_us // QUARTER * QUARTER
        if minute >= self.context.minute_from_us:
            buckets.append(("minute", minute))
        if quarter >= self.context.quarter_from_us:
            buckets.append(("quarter", quarter))
        moment = (time_us, row.source, row.id) if newest else None
        for grain, bucket in buckets:
            key = (row.tenant, kind, row.account if account is None else account, text, grain, bucket)
            fact = self.made.facts.setdefault(key, Fact())
            fact.add(count, total if value is None else value * count, value, moment)
        if kind not in {"slo", "usage_named", "usage_account"}:
            self.slos(row, kind, dims, count, time_us=time_us, value=value)

    def slos(self, row: Row, kind: str, dims: Mapping[str, str], count: int, *, time_us: int, value: int | None) -> None:
        """By the version of the event's minute."""
        config = self.config(row, time_us // MINUTE * MINUTE)
        for name, excluded, good in counts_for(config, kind, row, dims, value):
            of_good = count if good else 0
            self.fact(row, "slo", {"slo": name, "excluded": excluded}, count, time_us=time_us, total=of_good)
            if not excluded and is_live(row, time_us):
                before = self.made.slos.get((row.tenant, name), (0, 0))
                self.made.slos[row.tenant, name] = (before[0] + of_good, before[1] + count)

    def usage(self, row: UsageRow) -> None:
        time_us = time_of(row)
        self.made.users.add((row.tenant, row.user))
        if row.feature == "session" and row.duration_ns is not None and row.phase != "start":
            began = time_us if row.phase == "" else (time_us * 1_000 - row.duration_ns) // 1_000
            self.fact(row, "session", {}, 1, time_us=began, value=row.duration_ns)
        if row.feature == "session":
            self.session(row, time_us)
        if row.feature == "session" and row.phase == "end":
            return
        config = self.config(row, time_us)
        dims = {"feature": row.feature, "ok": "" if row.ok else "false"}
        dims |= {f"property.{key}": value for key, value in row.properties.items() if key in config.properties}
        quantity = row.quantity_whole * NANO + row.quantity_nano
        self.fact(row, "usage", dims, 1, time_us=time_us, total=quantity)
        if row.account:
            self.fact(row, "usage_named", dims, 1, time_us=time_us, total=quantity, account="")
            self.fact(row, "usage_account", {"ok": dims["ok"]}, 1, time_us=time_us, total=quantity)
        day = local_day(time_us, config.timezone)
        self.made.activity.add((row.tenant, row.account, row.user, row.feature, day))
        if row.feature not in config.ignore_features:
            self.made.activity.add((row.tenant, row.account, row.user, "", day))
        for first in config.first_uses:
            who = row.account if first.of_account else row.user
            is_counted = not first.features and row.feature not in config.ignore_features
            if who and (row.feature in first.features or is_counted):
                reached = (row.tenant, "account" if first.of_account else "user", first.milestone, who, row.account)
                moment = (time_us, row.source, row.id)
                self.made.milestones[reached] = min(self.made.milestones.get(reached, moment), moment)
        monday = day - (date(1970, 1, 1) + timedelta(days=day)).weekday()
        counted = {row.feature} & config.frequency_features
        if "*" in config.frequency_features and row.feature not in config.ignore_features:
            counted |= {""}
        for feature in counted:
            key = (row.tenant, row.account, row.user, feature, monday)
            self.made.frequency[key] = self.made.frequency.get(key, 0) + quantity

    def session(self, row: UsageRow, time_us: int) -> None:
        """Where it begins and ends, by the minute; passing midnight it begins anew; a day is the longest."""
        if row.phase == "" and row.duration_ns is None:
            return
        began, ended = time_us, time_us
        if row.duration_ns is not None and row.phase != "start":
            began = time_us if row.phase == "" else (time_us * 1_000 - row.duration_ns) // 1_000
            ended = min(began + 96 * QUARTER, began + row.duration_ns // 1_000 if row.phase == "" else time_us)
        if row.phase:
            self.touch(row, began, unended=1 if row.phase == "start" else -1)
        if row.phase == "start":
            return
        self.touch(row, began, opened=1)
        midnight = ended // (96 * QUARTER) * 96 * QUARTER
        if began >= midnight:
            self.touch(row, ended, opened=-1)
        elif ended - midnight >= MINUTE:
            self.touch(row, midnight, opened=1)
            self.touch(row, ended, opened=-1)

    def touch(self, row: UsageRow, at_us: int, *, unended: int = 0, opened: int = 0) -> None:
        if at_us // QUARTER * QUARTER >= self.context.quarter_from_us:
            key = (row.tenant, row.account, at_us // MINUTE * MINUTE)
            before = self.made.sessions.get(key, (0, 0))
            self.made.sessions[key] = (before[0] + unended, before[1] + opened)

    def user(self, row: UserRow) -> None:
        self.made.users.add((row.tenant, row.user))
        moment = (time_of(row), row.source, row.id)
        if row.status:
            dated = (row.tenant, "user", row.user, row.account, "status", True, *moment)
            self.made.states[dated] = max(self.made.states.get(dated, ("",)), (row.status,))
        for name, value in row.traits.items():
            key = (row.tenant, "user", row.user, row.account, f"trait.{name}", False)
            self.made.states[key] = max(self.made.states.get(key, (*moment, value)), (*moment, value))
        if row.milestone:
            reached = (row.tenant, "user", row.milestone, row.user, row.account)
            self.made.milestones[reached] = min(self.made.milestones.get(reached, moment), moment)

    def delivery(self, row: DeliveryRow) -> None:
        time_us = time_of(row)
        final = row.outcome in {"delivered", "failed", "dead_lettered"}
        limit = row.limit_ns if row.limit_ns is not None else self.config(row, time_us).limit_ns.get(row.integration)
        value = row.latency_ns if row.outcome == "delivered" else None
        on_time = "" if value is None or limit is None else str(value <= limit).lower()
        dims = {
            "integration": row.integration,
            "direction": row.direction,
            "outcome": row.outcome,
            "retried": "true" if row.attempt > 1 else "",
            "on_time": on_time,
            "limited": "true" if final and limit is not None else "",
            "exhausted": "true" if row.exhausted else "",
            "automated": "" if row.automated else "false",
            "excluded": row.excluded,
        }
        self.fact(row, "delivery", dims, 1, time_us=time_us, value=value)
        told, done = self.made.tracked.get((row.tenant, row.delivery), ((None,) * 8, None))
        if row.outcome == "accepted" and row.integration in self.config(row, time_us).tracked:
            of = (row.account, row.integration, row.direction, limit, bool(row.excluded))
            accepted = (time_us, row.source, row.id, *of)
            told = accepted if told[0] is None else min(told, accepted, key=lambda each: each[:3])
        elif final and any(row.integration in each.tracked for each in self.context.configs[row.tenant].versions):
            done = time_us if done is None else min(done, time_us)
        else:
            return
        self.made.tracked[row.tenant, row.delivery] = (told, done)

    def request(self, row: RequestRow) -> None:
        dims = {name: getattr(row, name) for name in ("service", "route", "method", "region", "error_kind", "excluded")}
        dims["status"] = "timeout" if row.timeout else str(row.status)
        self.fact(row, "request", dims, row.count, time_us=time_of(row), value=row.latency_ns)

    def measurement(self, row: MeasurementRow) -> None:
        dims = {f"attribute.{key}": value for key, value in row.attributes.items()}
        dims |= {"meter": row.meter, "currency" if row.is_currency else "unit": row.unit}
        value = row.whole * NANO + row.nano
        self.fact(row, "meter", dims, row.count, time_us=time_of(row), value=value, newest=True)

    def probe(self, row: ProbeRow) -> None:
        time_us = time_of(row)
        marks = {"excluded"} if row.excluded else {"up" if row.up else "down"}
        if not row.excluded:
            marks |= {"degraded"} if row.degraded else set()
            in_time = row.announced_us is not None and row.announced_us <= time_us - WEEK
            marks |= {"planned"} if row.planned and in_time else set()
        own = time_us // QUARTER * QUARTER
        for second in range(time_us // SECOND, time_us // SECOND + row.interval_s):
            bucket = second // 900 * QUARTER
            if bucket < self.context.quarter_from_us:
                continue
            key = (row.tenant, row.account, row.component, row.monitor, row.region, bucket)
            rest = self.made.probes.setdefault(key, {name: set() for name in ("up", "down", "degraded", "planned", "excluded")})
            for mark in marks:
                rest[mark].add(second % 900)
        key = (row.tenant, row.account, row.component, row.monitor, row.region, own)
        if own >= self.context.quarter_from_us and not row.excluded:
            counted = self.made.probes[key]
            counted["probes"] = counted.get("probes", 0) + 1
            counted["probes_up"] = counted.get("probes_up", 0) + int(row.up)

    def step(self, row: Row, family: str, subject: str, said: Mapping[str, Any]) -> None:
        key = (row.tenant, family, subject, time_of(row), row.source, row.id)
        told = {name: value for name, value in said.items() if value not in (None, "", [])}
        text = json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        self.made.steps[key] = max(self.made.steps.get(key, ("", "")), (row.account, text))

    def incident(self, row: IncidentRow) -> None:
        said = {
            "action": row.action,
            "severity": row.severity,
            "service": row.service,
            "title": row.title,
            "kind": row.kind,
            "cause": row.cause,
            "outage": row.outage,
            "level": row.level,
            "affected_users": row.affected_users,
            "action_items": row.action_items,
            "accounts": row.accounts,
        }
        self.step(row, "incident", row.incident, said)

    def recovery(self, row: RecoveryRow) -> None:
        said = {
            "action": row.action,
            "amount": row.amount,
            "amount_currency": row.amount_currency,
            "incentive": row.incentive,
            "incentive_currency": row.incentive_currency,
            "channel": row.channel,
            "automated": row.automated,
        }
        self.step(row, "recovery", row.case, said)

    def ticket(self, row: TicketRow) -> None:
        said = {
            "action": row.action,
            "priority": row.priority,
            "category": row.category,
            "level": row.level,
            "first_contact": row.first_contact,
            "blocking": row.blocking,
            "reason": row.reason,
        }
        self.step(row, "ticket", row.ticket, said)

    def feedback(self, row: FeedbackRow) -> None:
        said = {
            "survey": row.survey,
            "action": row.action,
            "score": row.score,
            "scale": row.scale,
            "wave": row.wave,
            "about": row.about,
            "category": row.category,
            "sentiment": row.sentiment,
            "themes": sorted(set(row.themes)),
        }
        self.step(row, "feedback", row.respondent, said)

    def item(self, row: ItemRow) -> None:
        said = {
            "kind": row.kind,
            "status": row.status,
            "title": row.title,
            "probability": row.probability,
            "impact": row.impact,
            "priority": row.priority,
            "due": row.due,
            "value": row.value,
            "value_currency": row.value_currency,
            "owner": row.owner,
        }
        self.step(row, "item", row.item, said)

    def account(self, row: AccountRow) -> None:
        moment = (time_of(row), row.source, row.id)
        about = (row.tenant, "account", row.customer, row.customer)
        dated: dict[str, Any] = {
            "status": row.status,
            "reason": row.reason,
            "tier": row.tier,
            "contract_start": row.contract_start,
            "contract_end": row.contract_end,
            "renewal": row.renewal,
            "phase": row.phase,
            "licensed_users": row.licensed_users,
            "size": row.size,
            "progress_nano": row.progress_nano,
            "mrr": None if row.mrr is None else f"{row.mrr} {row.mrr_currency}",
            "usage_fees": None if row.usage_fees is None else f"{row.usage_fees} {row.usage_fees_currency}",
            "contract_value": None if row.contract_value is None else f"{row.contract_value} {row.contract_value_currency}",
            "expansion_potential": (
                None if row.expansion_potential is None else f"{row.expansion_potential} {row.expansion_potential_currency}"
            ),
        }
        dated |= {f"signal.{name}": raised for name, raised in row.signals.items()}
        for name, value in dated.items():
            if value not in (None, ""):
                key: tuple[Any, ...] = (*about, name, True, *moment)
                self.made.states[key] = max(self.made.states.get(key, ("",)), (str(value),))
        for name, value in row.traits.items():
            key = (*about, f"trait.{name}", False)
            self.made.states[key] = max(self.made.states.get(key, (*moment, value)), (*moment, value))
        for milestone in {"~known", row.milestone} - {""}:
            reached = (row.tenant, "account", milestone, row.customer, row.customer)
            self.made.milestones[reached] = min(self.made.milestones.get(reached, moment), moment)


def expected(family: str, rows: Iterable[Row], context: FoldContext) -> Oracle:
    """What the family's fold must give for these rows."""
    folding = Folding(context)
    take: Callable[[Any], None] = getattr(folding, family)
    for row in rows:
        take(row)
    return folding.made
