"""/metrics/kpis: the live KPIs of all tenants, named and labelled by Prometheus's own conventions."""

import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import asyncpg
from fastapi import APIRouter
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from service.catalog import Catalog
from service.catalog.kpi import Kpi
from service.http.auth import Keyring
from service.store import live
from service.store.live import Shown

BASE_UNITS: Mapping[str, tuple[str, float]] = {
    "ms": ("_seconds", 1e-3),
    "s": ("_seconds", 1.0),
    "ratio": ("_ratio", 1.0),
    "bytes": ("_bytes", 1.0),
}
"""Suffix and factor of a unit of ours; counts and whatever a meter measures keep their number and have no suffix."""
_OF_PROXIES = ("forwarded", "via", "x-forwarded-for", "x-real-ip")
_RESERVED = frozenset({"kpi", "stat", "process", "job", "instance", "le", "quantile"})
_NO_LABEL = re.compile(r"[^a-zA-Z0-9_]")
STATUS_NUMBERS: Mapping[str, int] = {"none": 0, "green": 1, "yellow": 2, "red": 3}


def router(pool: asyncpg.Pool, catalog: Catalog, *, max_series: int) -> APIRouter:
    """`/metrics/kpis`, open to this machine, and to others with a key of the scope `metrics` (its tenant's series)."""
    made = APIRouter(tags=["operations"])

    @made.get("/metrics/kpis", summary="Live KPIs of all tenants, for Prometheus")
    async def kpis(request: Request) -> Response:
        tenant: int | None = None
        if not _is_local(request) or "authorization" in request.headers:
            keyring: Keyring = request.app.state.keyring
            principal = await keyring.authenticate(request.headers.get("authorization"))
            principal.need(("metrics",))
            tenant = principal.tenant
        async with pool.acquire() as connection:
            shown = await live.read(connection, tenant=tenant, max_series=max_series)
        return Response(exposition(shown, catalog, max_series=max_series), media_type=CONTENT_TYPE_LATEST)

    return made


def exposition(shown: Sequence[Shown], catalog: Catalog, *, max_series: int) -> bytes:
    """The text of these series; a KPI that the catalog does not know any more is left out."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Live([one for one in shown if one.kpi in catalog.kpis], catalog, max_series))
    return generate_latest(registry)


def metric_name(kpi: Kpi, statistic: str) -> tuple[str, float]:
    """The Prometheus name of a statistic and the factor to its base unit."""
    suffix, factor = BASE_UNITS.get(kpi.statistics[statistic].unit, ("", 1.0))
    name = f"tidegauge_{kpi.id}"
    return (name if suffix and name.endswith(suffix) else name + suffix), factor


class _Live(Collector):
    def __init__(self, shown: Sequence[Shown], catalog: Catalog, max_series: int) -> None:
        self._shown = shown
        self._catalog = catalog
        self._max_series = max_series

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        status = GaugeMetricFamily("tidegauge_kpi_status", "0 no value or target, 1 green, 2 yellow, 3 red")
        target = GaugeMetricFamily("tidegauge_kpi_target", "Target of a KPI, in the unit of its own metric")
        limit = GaugeMetricFamily("tidegauge_kpi_limit", "Limit of a KPI, in the unit of its own metric")
        for one in self._shown:
            kpi = self._catalog.kpis[one.kpi]
            if one.statistic not in kpi.statistics:
                continue
            name, factor = metric_name(kpi, one.statistic)
            family = families.setdefault(name, GaugeMetricFamily(name, kpi.head.definition))
            labels = _labels(one)
            family.add_sample(name, labels, one.value * factor)
            judged = {"kpi": one.kpi} | labels
            if one.status != "none":
                status.add_sample(status.name, judged, STATUS_NUMBERS[one.status])
            if one.target is not None:
                target.add_sample(target.name, judged, one.target * factor)
            if one.limit is not None:
                limit.add_sample(limit.name, judged, one.limit * factor)
        return [*families.values(), status, target, limit, self._hidden()]

    def _hidden(self) -> Metric:
        hidden = GaugeMetricFamily(
            "tidegauge_kpi_series_hidden", f"Series above the bound of {self._max_series} a tenant", labels=["tenant"]
        )
        for tenant, total in {one.tenant: one.total for one in self._shown}.items():
            hidden.add_metric([tenant], max(0, total - self._max_series))
        return hidden


def _labels(one: Shown) -> dict[str, str]:
    labels = {"tenant": one.tenant, "window": one.window}
    if one.statistic:
        labels["stat"] = one.statistic
    for name, value in sorted(one.dims.items()):
        labels[_label(name, labels.keys() | _RESERVED)] = value
    return labels


def _label(name: str, taken: Collection[str]) -> str:
    """A dimension's name as a label: letters, digits and underscores, no leading digit or pair of underscores, not taken."""
    label = _NO_LABEL.sub("_", name)
    if label[0].isdigit() or label.startswith("__"):
        label = f"dimension_{label.lstrip('_')}"
    while label in taken:
        label += "_"
    return label


def _is_local(request: Request) -> bool:
    """Whether the other end is on this machine and no proxy speaks for somebody else."""
    if request.client is None or any(name in request.headers for name in _OF_PROXIES):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
