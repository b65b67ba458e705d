"""What evaluations stand on: each tenant's configuration, read again when it has a new version."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from service.catalog import Kept
from service.domain.config.versions import TenantConfigs
from service.store.config import load_configs
from service.store.dirty import Touched
from service.store.engine import Connection
from service.store.partitions import kept_from


@dataclass(frozen=True, slots=True)
class Ground:
    """Configurations by tenant, and what is kept."""

    configs: Mapping[int, TenantConfigs]
    kept: Kept


@dataclass(slots=True)
class Grounds:
    """The configurations of all tenants with events, each as of its newest version."""

    configs: dict[int, TenantConfigs] = field(default_factory=dict)

    async def now(self, connection: Connection, tenants: Iterable[Touched]) -> Ground:
        """The ground for these tenants at this moment."""
        stale = [
            each.tenant
            for each in tenants
            if each.tenant not in self.configs or self.configs[each.tenant].version != each.config_version
        ]
        if stale:
            self.configs |= await load_configs(connection, stale)
        kept = await kept_from(connection)
        return Ground(self.configs, Kept(kept.minute_from_us, kept.quarter_from_us))
