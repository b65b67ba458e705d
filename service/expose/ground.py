"""What an answer stands on: the tenant's configuration, what is kept, and how far the log has been read."""

from collections import OrderedDict
from dataclasses import dataclass, field

from service.catalog import Declared, Kept, Window, declared_of
from service.domain.config import TenantConfig
from service.domain.config.versions import TenantConfigs
from service.store.config import load_configs
from service.store.engine import Connection
from service.store.partitions import kept_from
from service.store.version import Standing, standing

REMEMBERED_TENANTS = 1_000


@dataclass(frozen=True, slots=True)
class Ground:
    """One tenant at one moment."""

    tenant: int
    now_us: int
    configs: TenantConfigs
    kept: Kept
    standing: Standing

    @property
    def zone(self) -> str:
        """The tenant's IANA time zone."""
        return self.configs.timezone

    def version(self, window: Window) -> int:
        """The place of what counts at the end of a window, or now while it is open: history is judged by what was valid then."""
        return self.configs.place_at(max(window.start_us, window.until_us - 1))

    def config(self, window: Window) -> TenantConfig:
        """What was declared then."""
        return self.configs.versions[self.version(window)]

    def declared(self, window: Window) -> dict[int, Declared]:
        """The same for the statements of the catalog."""
        return {self.tenant: declared_of(self.config(window))}

    def is_provisional(self, window: Window) -> bool:
        """Whether the window is open: events of it may still be on their way."""
        return window.end_us > min(self.now_us, self.standing.watermark_us)


@dataclass(slots=True)
class Grounds:
    """Reads grounds; configurations are read again only when a tenant has a new version."""

    _configs: OrderedDict[int, TenantConfigs] = field(default_factory=OrderedDict)

    async def now(self, connection: Connection, tenant: int, *, now_us: int) -> Ground:
        """The ground of a tenant as of the connection's transaction; raises NotFound."""
        stands = await standing(connection, tenant)
        configs = self._configs.get(tenant)
        if configs is None or configs.version != stands.config_version:
            configs = (await load_configs(connection, [tenant]))[tenant]
            self._configs[tenant] = configs
            self._configs.move_to_end(tenant)
            while len(self._configs) > REMEMBERED_TENANTS:
                self._configs.popitem(last=False)
        kept = await kept_from(connection)
        return Ground(tenant, now_us, configs, Kept(kept.minute_from_us, kept.quarter_from_us), stands)
