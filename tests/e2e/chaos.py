"""Blows at seeded random moments while clients send and retry; afterwards everything acknowledged counts, exactly once."""

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from service.demo.client import Client
from service.store.embedded import EmbeddedPostgres
from service.store.migrate import migrate
from tests.broker import Broker
from tests.e2e import aggregators, figures, tenants, topics
from tests.e2e.figures import Part, check_crowd, crowd, has_arrived, make_part
from tests.e2e.harness import Installation, kafka_settings
from tests.e2e.sending import Event, HttpSender, Sender, TopicSender, paced, until
from tests.e2e.targets import BACKEND, KAFKA, POSTGRES, Targets
from tests.ingest.topics import Topic

SETTLE_S = 900.0
PARTS = 3
EVENTS_A_PART = 350
TOPIC_PARTITIONS = 3
CROWD_PAUSE_S = 0.2
"""Between two batches of a client: often enough that every blow falls into some; each is work for all that count it."""
LOOK_S = 0.25
"""Between two looks at what is waited for: each is a connection or a request that those under the blows must serve."""


@dataclass(frozen=True, slots=True)
class Blow:
    """One kill: whom, when after the last one, and for how long."""

    victim: str
    after_s: float
    down_s: float
    at_once: bool
    """It comes before anything has recovered from the last one."""


def plan(chance: random.Random, kills: int, names: Sequence[str]) -> list[Blow]:
    """So many kills, or more: everything at least once, what all others lean on more often than one of several."""
    often = [name for name in names for _ in range(3 if name in (POSTGRES, KAFKA) else 1 if name == BACKEND else 2)]
    victims = [*names, *chance.choices(often, k=max(0, kills - len(names)))]
    chance.shuffle(victims)
    return [Blow(victim, chance.uniform(0, 0.6), chance.uniform(0, 0.8), chance.random() < 0.3) for victim in victims]


class Storm:
    """An installation under load: tenants whose figures the oracle knows, and a crowd."""

    def __init__(self, targets: Targets, url: str, chance: random.Random, topic: Topic | None) -> None:
        self.targets = targets
        self._topic = topic
        self._url = url
        self._chance = chance
        self._share = 0.0
        """How far the blows have come, 0 to 1: the streams last as long as they do."""
        self._enough = threading.Event()
        self._parts: list[Part] = []
        self._senders: list[Sender] = []
        self._began_s = time.monotonic()
        self.interrupted = 0
        """Aggregators that were killed while they held partitions."""
        self.client: Client
        """Reads what became of the crowd's events."""

    def begin(self) -> None:
        """Start sending."""
        apis = list(self.targets.apis.values())
        self.client, key = tenants.client(self._url, apis[0], "crowd", "ingest")
        for number in range(2):
            batches = until(self._enough, crowd(random.Random(self._chance.random()), f"c{number}"), pause_s=CROWD_PAUSE_S)
            self._senders.append(HttpSender(f"crowd-{number}", apis, key, batches))
        for number in range(PARTS):
            part = asyncio.run(make_part(self._url, f"part-{number}", self._chance, EVENTS_A_PART))
            turn = apis[::-1] if number % 2 else apis
            self._senders.append(HttpSender(part.name, turn, part.key, self._paced(part)))
        if self._topic is not None:
            part = asyncio.run(make_part(self._url, "from-a-topic", self._chance, EVENTS_A_PART, self._topic))
            self._senders.append(TopicSender(part.name, self._topic, self._paced(part)))
        for sender in self._senders:
            sender.start()

    def _paced(self, part: Part) -> Iterator[list[Event]]:
        self._parts.append(part)
        batches = part.batches(self._chance)
        self._chance.shuffle(batches)
        return paced(batches, self._how_far)

    def strike(self, blows: Sequence[Blow]) -> None:
        """Kill, one after another; most only when the clients get on again."""
        for number, blow in enumerate(blows):
            if not blow.at_once:
                self.recover()
            self.targets.pause(blow.after_s)
            self.targets.wait_until_up(blow.victim)
            at_work = self._is_at_work(blow.victim)
            self.targets.kill(blow.victim, down_s=blow.down_s)
            self.interrupted += at_work
            self.note(f"{blow.victim} was killed" + " with partitions in hand" * at_work)
            self._share = (number + 1) / len(blows)
        self.recover()

    def recover(self) -> None:
        """Until everything is up, and the crowd's events are acknowledged and committed to the rollups again."""
        self.targets.wait_until_up()
        self.until(lambda: aggregators.committed(self._url) is not None, "Postgres does not answer any more")
        before = aggregators.committed(self._url) or 0
        self.go_on()
        self.until(lambda: (aggregators.committed(self._url) or 0) > before, "nothing is committed to the rollups any more")

    def go_on(self, batches: int = 1) -> None:
        """Until each of the crowd's clients has so many batches more acknowledged."""
        before = self._acknowledged()
        self.until(lambda: self._acknowledged() >= before + batches, "nothing is acknowledged any more")

    def until(self, holds: Callable[[], bool], else_: str) -> None:
        """Wait for something, with clients that send and supervisors that start what is due."""
        deadline = time.monotonic() + SETTLE_S
        while not holds():
            assert time.monotonic() < deadline, else_
            self._no_errors()
            self.targets.pause(LOOK_S)

    def end(self) -> None:
        """Send what is left, let the aggregators catch up, and compare everything."""
        self._share = 1.0
        self._enough.set()
        self.until(lambda: not any(sender.is_alive() for sender in self._senders), "events are still not acknowledged")
        self._no_errors()
        self.note("everything was acknowledged")
        self.until(self._has_arrived, "events of a topic are still missing")
        self.until(self._is_consumed, "events are still pending")
        self.note("everything was consumed")
        installation = self.targets.installation
        assert self.targets.ended == []
        check_crowd(self.client, self._events_of("crowd"))
        assert installation.run("check").stdout.endswith("the ledger is right\n")
        said = asyncio.run(figures.wrong(self._url, self._parts, self._chance))
        assert not said, f"{len(said)} figures differ:\n" + "\n".join(said[:20])
        self.note("every figure was compared")
        for name in list(self.targets.roles):
            self.targets.leave(name)
        self.note(f"every process stopped; {self._told()}")

    def note(self, what: str) -> None:
        """Say what happened when, for whoever watches, or looks for the cause of a failure."""
        print(f"{time.monotonic() - self._began_s:6.1f} s: {what}", flush=True)  # noqa: T201

    @property
    def repeated(self) -> int:
        """How often clients had to send something again."""
        return sum(sender.repeated for sender in self._senders)

    def _is_at_work(self, name: str) -> bool:
        """Whether it is an aggregator with partitions; the first one is waited for, for once is the least."""
        if self.targets.roles.get(name) is None or self.targets.roles[name].role != "aggregate":
            return False
        pid = self.targets.installation.pid(name)
        if not self.interrupted:
            self.until(lambda: bool(aggregators.held(self._url, pid)), f"{name} is given no partition")
        return bool(aggregators.held(self._url, pid))

    def _told(self) -> str:
        """What the clients went through."""
        sent = sum(len(sender.acknowledged) for sender in self._senders)
        return f"{sent} events acknowledged, {self.repeated} batches sent again, {self.interrupted} aggregators interrupted"

    def _has_arrived(self) -> bool:
        """What was acknowledged by a topic is on its way for as long as the source takes."""
        return self._topic is None or asyncio.run(has_arrived(self._url, self._parts[-1]))

    def _is_consumed(self) -> bool:
        return not self.client.get("/v1/ledger")["installation"]["pending"]

    def _how_far(self) -> float:
        return self._share

    def _acknowledged(self) -> int:
        return min(sender.batches for sender in self._senders if sender.name.startswith("crowd"))

    def _events_of(self, name: str) -> list[Event]:
        return [event for sender in self._senders if sender.name.startswith(name) for event in sender.acknowledged]

    def _no_errors(self) -> None:
        for sender in self._senders:
            if sender.error is not None:
                raise AssertionError(f"{sender.name} failed") from sender.error


@contextmanager
def storm(
    postgres: EmbeddedPostgres, broker: Broker | None, directory: Path, seed: int, roles: Sequence[str], **settings: str
) -> Iterator[Storm]:
    """Everything started, and events coming; says how to have the same again when it fails."""
    chance = random.Random(seed)
    asyncio.run(migrate(postgres.url))
    words = {"minute_retention_days": figures.MINUTES_KEPT_DAYS, "partitions": "6", "flush_events": "2000"} | settings
    topic = None
    if broker:
        words |= kafka_settings(broker)
        if any(name.startswith("source") for name in roles):
            topic = topics.made(broker, TOPIC_PARTITIONS)
            words |= topics.settings(topic)
    with ExitStack() as stack:
        installation = stack.enter_context(Installation(postgres.url, directory, **words))
        targets = Targets(installation, postgres, broker, *roles)
        targets.chance = random.Random(seed)
        installation.address = next(iter(targets.apis.values()))
        stack.callback(targets.close)
        made = Storm(targets, postgres.url, chance, topic)
        try:
            print(f"\nseed {seed}")  # noqa: T201
            targets.start_all()
            made.begin()
            stack.callback(made.client.close)
            yield made
        except BaseException as error:
            error.add_note(f"again with --seed {seed}; the logs of all roles are in {directory}")
            raise
