"""How long it takes from an event to the query API: events of a tenant of their own, sent one by one and looked for."""

import asyncio
import contextlib
import time
from random import Random
from typing import Final

import httpx
import msgspec

from loadtests.results import Visible
from loadtests.site import Role
from service.clock import SystemClock, to_datetime

PROBES: Final = 8
"""Events under way at the same time, each of a feature of its own."""
LOOK_S: Final = 0.02
"""Between two looks: what is measured is longer by half of it on average."""
LONGEST_PAUSE_S: Final = 0.3
GIVE_UP_S: Final = 30.0
QUESTION: Final = "/v1/kpis/feature_uses?window=1h&by=feature&stat=value"


class Prober:
    """Sends events of one tenant and waits until the query API shows them."""

    def __init__(self, api: Role, *, write_key: str, read_key: str, seed: int) -> None:
        self._client = httpx.AsyncClient(base_url=api.address, trust_env=False, timeout=GIVE_UP_S)
        self._write = {"authorization": f"Bearer {write_key}", "content-type": "application/cloudevents+json"}
        self._read = {"authorization": f"Bearer {read_key}"}
        self._random = Random(seed)
        self._clock = SystemClock()
        self._sent = dict.fromkeys((f"probe-{number}" for number in range(PROBES)), 0)
        self._shown: dict[str, float] = {}
        self._looked = asyncio.Condition()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def measure(self, seconds: float, *, background_events_per_s: float) -> Visible:
        """Send events for so long, and tell how long each took; raises TimeoutError for one that does not show."""
        looking = asyncio.create_task(self._look())
        try:
            async with asyncio.TaskGroup() as group:
                probes = [group.create_task(self._probe(feature, seconds)) for feature in self._sent]
        finally:
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await looking
        delays_s = sorted(delay for probe in probes for delay in probe.result())
        return Visible(
            background_events_per_s=background_events_per_s,
            samples=len(delays_s),
            p50_ms=1_000 * delays_s[-(-50 * len(delays_s) // 100) - 1],
            p95_ms=1_000 * delays_s[-(-95 * len(delays_s) // 100) - 1],
            worst_ms=1_000 * delays_s[-1],
        )

    async def _probe(self, feature: str, seconds: float) -> list[float]:
        delays_s: list[float] = []
        end_s = time.perf_counter() + seconds
        while not delays_s or time.perf_counter() < end_s:
            await asyncio.sleep(self._random.random() * LONGEST_PAUSE_S)
            self._sent[feature] += 1
            sent, sent_s = self._sent[feature], time.perf_counter()
            answer = await self._client.post("/v1/events", content=self._event(feature, sent), headers=self._write)
            answer.raise_for_status()
            async with asyncio.timeout(GIVE_UP_S), self._looked:
                await self._looked.wait_for(lambda: self._shown.get(feature, 0) >= sent)  # noqa: B023  # waited for here
            delays_s.append(time.perf_counter() - sent_s)
        return delays_s

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
