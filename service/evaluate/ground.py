"""What evaluations stand on: each tenant's configuration, read again when it has a new version."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from service.catalog import Declared, Kept, declared_of
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
    kept: Kept


@dataclass(slots=True)
class Grounds:
    """The configurations of all tenants with events, each as of its newest version."""

    configs: dict[int, TenantConfigs] = field(default_factory=dict)
    declared: dict[int, Declared] = field(default_factory=dict)

    async def now(self, connection: Connection, tenants: Iterable[Touched]) -> Ground:
        """The ground for these tenants at this moment."""
        stale = [
            each.tenant
            for each in tenants
            if each.tenant not in self.configs or self.configs[each.tenant].version != each.config_version
        ]
        if stale:
            read = await load_configs(connection, stale)
            self.configs |= read
            self.declared |= {tenant: declared_of(configs.newest) for tenant, configs in read.items()}
        kept = await kept_from(connection)
        return Ground(self.configs, self.declared, Kept(kept.minute_from_us, kept.quarter_from_us))
