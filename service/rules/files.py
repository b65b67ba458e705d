"""The files that Prometheus loads: three for the installation, and one a tenant."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from service.catalog import Catalog, catalog_of
from service.domain.config import TenantConfig
from service.domain.config.quality import OTHERS
from service.domain.selector import Selector
from service.errors import NotLive
from service.rules.declared import alert_of, limit_of
from service.rules.everybody import for_everybody
from service.rules.figures import Tenant
from service.rules.itself import on_itself
from service.rules.links import Links
from service.rules.model import Alerting, Group, yaml_of
from service.rules.slo import burn_alerts, recordings
from service.rules.watched import adoption_of, judged, silence_of, silence_of_others, worsening_of

PREFIX = "tidegauge-"
OF_TENANTS = f"{PREFIX}tenant-"
_Make = Callable[[], Alerting | None]
_Declared = tuple[str, Selector, _Make]
_HEAD = "Made by `tidegauge rules`; what is changed here is lost with the next call."


@dataclass(frozen=True, slots=True)
class Made:
    """What came out."""

    files: Mapping[str, str]
    """Texts by the names of their files."""
    untold: tuple[str, ...]
    """What was declared and has no alert, a sentence each with its reason."""


def rule_files(catalog: Catalog, tenants: Mapping[str, TenantConfig], links: Links, *, shared: bool = True) -> Made:
    """The files for these tenants; `shared`: with those that are for all of them."""
    files: dict[str, str] = {}
    untold: list[str] = []
    if shared:
        files[f"{PREFIX}itself.yml"] = yaml_of([on_itself(links)], head=_HEAD)
        files[f"{PREFIX}slo.yml"] = yaml_of([recordings()], head=_HEAD)
        files[f"{PREFIX}everybody.yml"] = yaml_of([for_everybody(links)], head=_HEAD)
    for name in sorted(tenants):
        files[f"{OF_TENANTS}{name}.yml"] = yaml_of(groups_of(catalog, name, tenants[name], links, untold), head=_HEAD)
    return Made(files, tuple(untold))


def groups_of(catalog: Catalog, name: str, config: TenantConfig, links: Links, untold: list[str]) -> list[Group]:
    """The groups of a tenant; `untold` gets a sentence for what no live series shows."""
    tenant = Tenant(name, config, catalog_of(catalog, config), links)
    burning = [alert for slo in config.slos for alert in burn_alerts(name, slo, links)]
    figures = [*_declared(tenant, untold), *_watched(tenant)]
    return [Group(f"{OF_TENANTS}{name}-slo", tuple(burning)), Group(f"{OF_TENANTS}{name}-kpi", tuple(figures))]


def _declared(tenant: Tenant, untold: list[str]) -> Iterator[Alerting]:
    alerts: list[_Declared] = [("[[alert]]", each.selector, partial(alert_of, tenant, each)) for each in tenant.config.alerts]
    limits: list[_Declared] = [("[[target]]", each.selector, partial(limit_of, tenant, each)) for each in tenant.config.targets]
    for table, selector, make in (*alerts, *limits):
        try:
            made = make()
        except NotLive as reason:
            untold.append(f"{tenant.name}: {table} {selector}: no alert, for {reason}")
            continue
        if made is not None:
            yield made


def _watched(tenant: Tenant) -> Iterator[Alerting]:
    """What nobody asked for: where no series shows it, nothing is missing."""
    config = tenant.config
    adopted: list[_Make] = [
        partial(adoption_of, tenant, name, feature.adoption_target)
        for name, feature in config.features.items()
        # No series shows the adoption of a group.
        if feature.adoption_target is not None and name not in config.feature_groups
    ]
    declared = [source for source in config.freshness if source != OTHERS]
    silent: list[_Make] = [partial(silence_of, tenant, source, config.freshness[source].limit_s) for source in declared]
    if (others := config.freshness.get(OTHERS)) is not None:
        silent.append(partial(silence_of_others, tenant, declared, others.limit_s))
    worse: list[_Make] = [partial(worsening_of, tenant, selector) for selector in judged(tenant)]
    for make in (*adopted, *silent, *worse):
        try:
            made = make()
        except NotLive:
            continue
        if made is not None:
            yield made
