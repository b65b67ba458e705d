"""How long it takes from an event to the query API: events of a tenant of their own, sent one by one and looked for."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random
from typing import Final

import httpx
import msgspec
from aiokafka import AIOKafkaProducer

from loadtests.pace import nearest_rank
from loadtests.plan import Http, Topic
from loadtests.results import Visible
from loadtests.site import Site
from loadtests.stage import Door, everything
from loadtests.topic_client import HEADERS
from loadtests.traffic import Population
from service.clock import SystemClock, to_datetime

Send = Callable[[bytes], Awaitable[object]]
"""Returns when one event is taken."""

PROBES: Final = 8
"""Events under way at the same time, each of a feature of its own."""
LOOK_S: Final = 0.02
"""Between two looks: what is measured is longer by half of it on average."""
LONGEST_PAUSE_S: Final = 0.3
GIVE_UP_S: Final = 90.0
QUESTION: Final = "/v1/kpis/feature_uses?window=1h&by=feature&stat=value"


async def visible(site: Site, population: Population, door: Door, seconds: float, *, events_per_s: float) -> Visible:
    """Load by a population through a door, and single events beside it that are looked for."""
    async with (
        everything(site, population, door) as stage,
        _sender(stage.probed) as send,
        # The load goes on for as long as the last probe may take, and ends with it.
        stage.load(seconds, events_per_s=events_per_s, linger_s=GIVE_UP_S) as client,
    ):
        await client.begun()
        prober = Prober(send, api=stage.roles[0].address, read_key=stage.database.read_key, seed=population.seed)
        try:
            delays_s = await prober.measure(seconds)
        finally:
            await prober.close()
    return Visible(
        door=door,
        tenants=population.tenants,
        background_events_per_s=events_per_s,
        samples=len(delays_s),
        p50_ms=1_000 * nearest_rank(delays_s, 50),
        p95_ms=1_000 * nearest_rank(delays_s, 95),
        worst_ms=1_000 * delays_s[-1],
    )


@contextlib.asynccontextmanager
async def _sender(to: Http | Topic) -> AsyncIterator[Send]:
    if isinstance(to, Topic):
        producer = AIOKafkaProducer(bootstrap_servers=to.bootstrap, acks="all")
        await producer.start()
        try:
            yield lambda event: producer.send_and_wait(to.name, event, headers=HEADERS)
        finally:
            await producer.stop()
        return
    head = {"authorization": f"Bearer {to.keys[0]}", "content-type": "application/cloudevents+json"}
    async with httpx.AsyncClient(trust_env=False, timeout=GIVE_UP_S) as client:

        async def post(event: bytes) -> None:
            (await client.post(f"http://127.0.0.1:{to.port}/v1/events", content=event, headers=head)).raise_for_status()

        yield post


class Prober:
    """Sends events of one tenant and waits until the query API shows them."""

    def __init__(self, send: Send, *, api: str, read_key: str, seed: int) -> None:
        self._send = send
        self._client = httpx.AsyncClient(base_url=api, trust_env=False, timeout=GIVE_UP_S)
        self._read = {"authorization": f"Bearer {read_key}"}
        self._random = Random(seed)
        self._clock = SystemClock()
        self._sent = dict.fromkeys((f"probe-{number}" for number in range(PROBES)), 0)
        self._shown: dict[str, float] = {}
        self._looked = asyncio.Condition()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def measure(self, seconds: float) -> list[float]:
        """Send events for so long; returns the seconds that each took, in order. Raises TimeoutError.

        Each feature's first event only warms up what it goes through.
        """
        looking = asyncio.create_task(self._look())
        try:
            async with asyncio.TaskGroup() as group:
                probes = [group.create_task(self._probe(feature, seconds)) for feature in self._sent]
        finally:
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await looking
        return sorted(delay for probe in probes for delay in probe.result())

    async def _probe(self, feature: str, seconds: float) -> list[float]:
        """Send by a schedule, whether what came before is visible or not: a standstill delays every event that falls in it."""
        await self._once(feature, time.perf_counter())
        due_s = time.perf_counter()
        end_s = due_s + seconds
        asked: list[asyncio.Task[float]] = []
        async with asyncio.TaskGroup() as group:
            while not asked or due_s < end_s:
                due_s += self._random.random() * LONGEST_PAUSE_S
                await asyncio.sleep(due_s - time.perf_counter())
                asked.append(group.create_task(self._once(feature, due_s)))
        return [once.result() for once in asked]

    async def _once(self, feature: str, due_s: float) -> float:
        self._sent[feature] += 1
        sent = self._sent[feature]
        await self._send(self._event(feature, sent))
        async with asyncio.timeout(GIVE_UP_S), self._looked:
            await self._looked.wait_for(lambda: self._shown.get(feature, 0) >= sent)
        return time.perf_counter() - due_s

    async def _look(self) -> None:
        known = ""
        while True:
            answer = await self._client.get(QUESTION, headers=self._read | ({"if-none-match": known} if known else {}))
            if answer.status_code != httpx.codes.NOT_MODIFIED:
                answer.raise_for_status()
                known = answer.headers["etag"]
                async with self._looked:
                    self._shown = {row["dims"]["feature"]: row["value"] for row in answer.json()["rows"]}
                    self._looked.notify_all()
            await asyncio.sleep(LOOK_S)

    def _event(self, feature: str, number: int) -> bytes:
        return msgspec.json.encode(
            {
                "specversion": "1.0",
                "type": "io.tidegauge.usage.v1",
                "source": "/loadtests/visible",
                "id": f"{feature}-{number}",
                "time": to_datetime(self._clock.now_us()).isoformat(),
                "subject": "prober",
                "data": {"feature": feature},
            }
        )
