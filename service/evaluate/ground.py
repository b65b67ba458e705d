"""What evaluations stand on: each tenant's configuration, read again when it has a new version."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from service.catalog import Declared, Kept, Window, declared_of
from service.domain.config import TenantConfig
from service.domain.config.versions import TenantConfigs
from service.store.config import load_configs
from service.store.dirty import Touched
from service.store.engine import Connection
from service.store.partitions import kept_from


@dataclass(frozen=True, slots=True)
class Ground:
    """Configurations by tenant, what the catalog needs of them, and what is kept."""

    configs: Mapping[int, TenantConfigs]
    declared: Mapping[int, Declared]
    """At the instant that was asked for."""
    kept: Kept

    def config(self, window: Window) -> TenantConfig:
        """What a window is judged by: what was declared at its end, or is now while it is open."""
        return self.configs[window.tenant].at(max(window.start_us, window.until_us - 1))

    def by_version(self, windows: Sequence[Window]) -> Iterator[tuple[list[Window], dict[int, TenantConfig], "Ground"]]:
        """Windows of tenants, each with what its tenant declared at its end and the ground of that.

        As few groups as may be: each has one version of a tenant, and most tenants had one.
        """
        groups: list[tuple[list[Window], dict[int, TenantConfig]]] = []
        for window in windows:
            config = self.config(window)
            for few, configs in groups:
                if configs.setdefault(window.tenant, config) is config:
                    few.append(window)
                    break
            else:
                groups.append(([window], {window.tenant: config}))
        for few, configs in groups:
            yield few, configs, replace(self, declared={tenant: declared_of(config) for tenant, config in configs.items()})


@dataclass(slots=True)
class Grounds:
    """The configurations of the tenants that were asked about; one that is planned counts from its beginning on."""

    configs: dict[int, TenantConfigs] = field(default_factory=dict)
    _declared: dict[int, tuple[TenantConfig, Declared]] = field(default_factory=dict)

    async def now(self, connection: Connection, tenants: Sequence[Touched], *, at_us: int) -> Ground:
        """The ground for these tenants, with what is declared at an instant."""
        stale = [
            each.tenant
            for each in tenants
            if each.tenant not in self.configs or self.configs[each.tenant].version != each.config_version
        ]
        if stale:
            self.configs |= await load_configs(connection, stale)
        declared = {each.tenant: self._declared_at(each.tenant, at_us) for each in tenants}
        kept = await kept_from(connection)
        return Ground(self.configs, declared, Kept(kept.minute_from_us, kept.quarter_from_us))

    def _declared_at(self, tenant: int, at_us: int) -> Declared:
        config = self.configs[tenant].at(at_us)
        known = self._declared.get(tenant)
        if known is None or known[0] is not config:
            known = self._declared[tenant] = (config, declared_of(config))
        return known[1]
