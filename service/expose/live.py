"""/metrics/kpis: the live KPIs of all tenants, named and labelled by Prometheus's own conventions."""

import hmac
import ipaddress
import re
from collections.abc import Collection, Mapping, Sequence

import asyncpg
from fastapi import APIRouter
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

from service.catalog import Catalog
from service.catalog.kpi import Kpi
from service.clock import Clock
from service.domain.config.alerts import MAX_SLOS
from service.expose.exposition import Samples, labels_text, text
from service.expose.owners import Owners
from service.http.auth import Keyring
from service.store import live, slo_counters
from service.store.live import Shown
from service.store.slo_counters import Counter

BASE_UNITS: Mapping[str, tuple[str, float]] = {
    "ms": ("_seconds", 1e-3),
    "s": ("_seconds", 1.0),
    "days": ("_seconds", 86_400.0),
    "ratio": ("_ratio", 1.0),
    "bytes": ("_bytes", 1.0),
}
"""Suffix and factor of a unit of ours; counts and whatever a meter measures keep their number and have no suffix."""
_OF_PROXIES = ("forwarded", "via", "x-forwarded-for", "x-real-ip")
_RESERVED = frozenset({"kpi", "stat", "process", "job", "instance", "le", "quantile"})
_NO_LABEL = re.compile(r"[^a-zA-Z0-9_]")
STATUS_NUMBERS: Mapping[str, int] = {"none": 0, "green": 1, "yellow": 2, "red": 3}


def router(pool: asyncpg.Pool, catalog: Catalog, *, clock: Clock, max_series: int, token: str = "") -> APIRouter:
    """`/metrics/kpis`, open to this machine and to whoever has the installation's `token` ("": nobody has it).

    Others need a key with the scope `metrics`, and see its tenant's series.
    """
    made = APIRouter(tags=["operations"])
    owners = Owners(catalog)

    @made.get("/metrics/kpis", summary="Live KPIs of all tenants, for Prometheus")
    async def kpis(request: Request) -> Response:
        tenant: int | None = None
        if not _sees_all(request, token):
            keyring: Keyring = request.app.state.keyring
            principal = await keyring.authenticate(request.headers.get("authorization"))
            principal.need(("metrics",))
            tenant = principal.tenant
        async with pool.acquire() as connection:
            shown = await live.read(connection, tenant=tenant, max_series=max_series)
            counted = await slo_counters.counters(connection, tenant=tenant, most=MAX_SLOS)
            own = await owners.of(connection, {one.tenant for one in shown if one.kpi not in catalog.kpis}, clock.now_us())
        content = exposition(shown, catalog, own, max_series=max_series, counters=counted)
        return Response(content, media_type=CONTENT_TYPE_LATEST)

    return made


def exposition(
    shown: Sequence[Shown],
    catalog: Catalog,
    own: Mapping[str, Catalog],
    *,
    max_series: int,
    counters: Sequence[Counter] = (),
) -> bytes:
    """The text of these series, and of the counters of SLOs; a KPI or a statistic that is not known any more is left out.

    `own` are the catalogs of tenants with KPIs of their own, by the tenants' names.
    """
    families: dict[tuple[str, ...], tuple[Samples, float] | None] = {}
    named: dict[str, Samples] = {}
    labelled: dict[tuple[str, ...], tuple[str, ...]] = {}
    status = Samples("tidegauge_kpi_status", "0 no value or target, 1 green, 2 yellow, 3 red")
    target = Samples("tidegauge_kpi_target", "Target of a KPI, in the unit of its own metric")
    limit = Samples("tidegauge_kpi_limit", "Limit of a KPI, in the unit of its own metric")
    for one in shown:
        is_own = one.kpi not in catalog.kpis
        key = (one.kpi, one.statistic, one.tenant if is_own else "")
        if key not in families:
            families[key] = _family(own.get(one.tenant, catalog) if is_own else catalog, one.kpi, one.statistic, named)
        found = families[key]
        if found is None:
            continue
        family, factor = found
        labels = _labels(one, labelled)
        family.add(labels_text(labels), one.value * factor)
        if one.status == "none" and one.target is None and one.limit is None:
            continue
        judged = labels_text({"kpi": one.kpi} | labels)
        if one.status != "none":
            status.add(judged, STATUS_NUMBERS[one.status])
        if one.target is not None:
            target.add(judged, one.target * factor)
        if one.limit is not None:
            limit.add(judged, one.limit * factor)
    hidden = Samples("tidegauge_kpi_series_hidden", f"Series above the bound of {max_series} a tenant")
    known = [one for one in shown if one.kpi in own.get(one.tenant, catalog).kpis]
    for tenant, total in {one.tenant: one.total for one in known}.items():
        hidden.add(labels_text({"tenant": tenant}), max(0, total - max_series))
    return text([*named.values(), status, target, limit, hidden, *_slos(counters)])


def _slos(counters: Sequence[Counter]) -> list[Samples]:
    events = Samples("tidegauge_slo_events_total", "Live events, seconds or minutes that an SLO counts; grows only", "counter")
    good = Samples("tidegauge_slo_good_events_total", "Those of them that were good; grows only", "counter")
    created = Samples("tidegauge_slo_events_created", "Since when both have counted, from 0, as Unix time in seconds")
    objective = Samples("tidegauge_slo_objective_ratio", "The share that is to be good, as it is declared")
    for each in counters:
        labels = labels_text({"tenant": each.tenant, "slo": each.slo})
        events.add(labels, each.total)
        good.add(labels, each.good)
        objective.add(labels, each.objective)
        if each.created_s is not None:
            created.add(labels, each.created_s)
    return [events, good, created, objective]


def _family(catalog: Catalog, kpi_id: str, statistic: str, named: dict[str, Samples]) -> tuple[Samples, float] | None:
    """The gauges that a statistic's values belong to, and the factor to their unit; several share a name."""
    kpi = catalog.kpis.get(kpi_id)
    if kpi is None or statistic not in kpi.statistics:
        return None
    name, factor = metric_name(kpi, statistic)
    return named.setdefault(name, Samples(name, kpi.head.definition)), factor


def metric_name(kpi: Kpi, statistic: str) -> tuple[str, float]:
    """The Prometheus name of a statistic and the factor to its base unit."""
    suffix, factor = BASE_UNITS.get(kpi.statistics[statistic].unit, ("", 1.0))
    # A name that speaks of another unit than the one it is in would mislead, and promtool refuses it.
    name = f"tidegauge_{kpi.id.replace('days_', 'time_')}" if suffix == "_seconds" else f"tidegauge_{kpi.id}"
    return (name if suffix and name.endswith(suffix) else name + suffix), factor


def _labels(one: Shown, known: dict[tuple[str, ...], tuple[str, ...]]) -> dict[str, str]:
    """Labels of a series; `known` remembers those of dimensions, which series share."""
    names = tuple(sorted(one.dims))
    if names not in known:
        known[names] = dimension_labels(names)
    labels = {"tenant": one.tenant, "window": one.window}
    if one.statistic:
        labels["stat"] = one.statistic
    for name, label in zip(names, known[names], strict=True):
        labels[label] = one.dims[name]
    return labels


def dimension_labels(names: Sequence[str]) -> tuple[str, ...]:
    """The labels that dimensions are shown by, in their order."""
    taken = {"tenant", "window", *_RESERVED}
    labels = []
    for name in names:
        labels.append(_label(name, taken))
        taken.add(labels[-1])
    return tuple(labels)


def _label(name: str, taken: Collection[str]) -> str:
    """A dimension's name as a label: letters, digits and underscores, no leading digit or pair of underscores, not taken."""
    label = _NO_LABEL.sub("_", name)
    if label[0].isdigit() or label.startswith("__"):
        label = f"dimension_{label.lstrip('_')}"
    while label in taken:
        label += "_"
    return label


def _sees_all(request: Request, token: str) -> bool:
    """Whether a request comes with the token, or with nothing and from this machine; keys are for the keyring."""
    given = request.headers.get("authorization")
    if given is None:
        return _is_local(request)
    return bool(token) and hmac.compare_digest(given.encode(), f"Bearer {token}".encode())


def _is_local(request: Request) -> bool:
    """Whether the other end is on this machine and no proxy speaks for somebody else."""
    if request.client is None or any(name in request.headers for name in _OF_PROXIES):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
