"""The demonstration's client: sends events by the contract's rules and reads KPIs, over HTTP."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential_jitter

BATCH_EVENTS = 500
GIVE_UP_S = 60.0
TIMEOUT_S = 30.0
RETRY_STATUS = frozenset({408, 429}) | frozenset(range(500, 600))


def _may_succeed_later(error: BaseException) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in RETRY_STATUS
    return isinstance(error, httpx.TransportError)


class Client:
    """Talks to one tidegauge with a key for writing and one for reading."""

    def __init__(self, address: str, *, write_key: str, read_key: str, give_up_s: float = GIVE_UP_S) -> None:
        self._give_up_s = give_up_s
        self._http = httpx.Client(base_url=address, timeout=TIMEOUT_S, trust_env=False)
        self._write = {"authorization": f"Bearer {write_key}", "content-type": "application/cloudevents-batch+json"}
        self._read = {"authorization": f"Bearer {read_key}"}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def send(self, events: Iterable[Mapping[str, Any]], *, progress: Callable[[int], None] = lambda _: None) -> int:
        """Send events in batches, trying again where the contract says so; returns how many were accepted.

        Raises httpx.HTTPStatusError for an answer that trying again would not mend.
        """
        accepted = 0
        for batch in _batches(events, BATCH_EVENTS):
            answer = self._post(msgspec.json.encode(batch))
            accepted += answer["accepted"]
            progress(len(batch))
        return accepted

    def settle(self, *, timeout_s: float, poll_s: float) -> None:
        """Wait until everything that was sent stands in the rollups; raises TimeoutError.

        Raises httpx.HTTPStatusError for an answer that asking again would not mend.
        """
        deadline = time.monotonic() + timeout_s
        while self._is_pending():
            if time.monotonic() > deadline:
                raise TimeoutError(f"events are still pending after {timeout_s:g} s: `tidegauge status` shows where")
            time.sleep(poll_s)

    def get(self, path: str, **parameters: str) -> Any:
        """Read JSON; raises httpx.HTTPStatusError for anything but success."""
        answer = self._http.get(path, params=parameters, headers=self._read)
        answer.raise_for_status()
        return answer.json()

    def _is_pending(self) -> bool:
        """Whether anything is pending; where nobody says at the moment it is."""
        try:
            return bool(self.get("/v1/ledger")["installation"]["pending"])
        except httpx.HTTPError as error:
            if not _may_succeed_later(error):
                raise
            return True

    def _post(self, body: bytes) -> dict[str, int]:
        for attempt in Retrying(
            retry=retry_if_exception(_may_succeed_later),
            wait=wait_exponential_jitter(multiplier=0.1, max=5.0),
            stop=stop_after_delay(self._give_up_s),
            reraise=True,
        ):
            with attempt:
                answer = self._http.post("/v1/events", content=body, headers=self._write)
                answer.raise_for_status()
        decoded: dict[str, int] = answer.json()
        return decoded


def _batches(events: Iterable[Mapping[str, Any]], size: int) -> Iterator[list[Mapping[str, Any]]]:
    iterator = iter(events)
    while batch := list(islice(iterator, size)):
        yield batch
