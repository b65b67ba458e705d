"""A process's own health: /healthz, /readyz and /metrics, with those of its siblings under one roof."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

import httpx
import msgspec
from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from service.errors import TidegaugeError
from service.store.engine import FAILURES


@dataclass(frozen=True, slots=True)
class Part:
    """How a part of the process stands: whether it is ready, and a few words about it."""

    ready: bool
    says: str = "ready"


Check = Callable[[], Awaitable[Part]]
"""Looks at a part; what it raises of Postgres and the tree of errors means that the part is not ready."""

SIBLING_TIMEOUT_S = 1.0
CHECK_TIMEOUT_S = 2.0


def siblings_from(setting: str) -> dict[str, str]:
    """`name=url,name=url` as a mapping; an empty setting is no sibling."""
    pairs = (pair.partition("=") for pair in setting.split(",") if pair)
    return {name.strip(): url.strip() for name, _, url in pairs}


def router(registry: CollectorRegistry, *, role: str, checks: Mapping[str, Check], siblings: Mapping[str, str]) -> APIRouter:
    """The three paths; `/readyz` answers 503 and says which part is not ready."""
    made = APIRouter(tags=["operations"])

    @made.get("/healthz", summary="The process lives")
    async def healthz() -> Response:
        return Response(b'{"status":"ok"}', media_type="application/json")

    @made.get("/readyz", summary="Every part is ready, or which is not")
    async def readyz() -> Response:
        found = await asyncio.gather(*(_ask(check) for check in checks.values()))
        parts = dict(zip(checks, found, strict=True))
        lacking = [name for name, part in parts.items() if not part.ready]
        body = {
            "status": "not ready" if lacking else "ready",
            "not_ready": lacking,
            "parts": {name: part.says for name, part in parts.items()},
        }
        return Response(msgspec.json.encode(body), 503 if lacking else 200, media_type="application/json")

    @made.get("/metrics", summary="This process and its siblings, for Prometheus")
    async def metrics() -> Response:
        if not siblings:
            return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
        texts = {role: generate_latest(registry).decode()} | await _fetch(siblings)
        merged = CollectorRegistry(auto_describe=False)
        merged.register(_Merged(texts))
        return Response(generate_latest(merged), media_type=CONTENT_TYPE_LATEST)

    return made


async def _ask(check: Check) -> Part:
    try:
        return await asyncio.wait_for(check(), CHECK_TIMEOUT_S)
    except TimeoutError:
        return Part(ready=False, says=f"no answer within {CHECK_TIMEOUT_S:g} s")
    except (TidegaugeError, *FAILURES) as error:
        return Part(ready=False, says=str(error) or type(error).__name__)


async def _fetch(siblings: Mapping[str, str]) -> dict[str, str]:
    """The siblings' texts; one that does not answer is absent (its `tidegauge_build_info` is missing then)."""
    async with httpx.AsyncClient(timeout=SIBLING_TIMEOUT_S, trust_env=False) as client:
        answers = await asyncio.gather(*(client.get(url) for url in siblings.values()), return_exceptions=True)
    return {
        name: answer.text
        for name, answer in zip(siblings, answers, strict=True)
        if isinstance(answer, httpx.Response) and answer.is_success
    }


class _Merged(Collector):
    """Families of several processes as one, told apart by the label `process`."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        for process, text in self._texts.items():
            for family in text_string_to_metric_families(text):
                merged = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    merged.samples.append(sample._replace(labels={"process": process, **sample.labels}))
        return families.values()
