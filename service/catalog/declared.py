"""What the catalog needs of a tenant's configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.catalog.kpi import Head
from service.catalog.question import Question
from service.domain.config import TenantConfig
from service.domain.localtime import EPOCH


@dataclass(frozen=True, slots=True)
class Declared:
    """The parts of one version that statements read; without arguments: nothing was declared."""

    holidays: tuple[int, ...] = ()
    """Days since 1970."""
    integrations: Mapping[str, str] = field(default_factory=dict)
    """Name → direction."""
    feature_groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Name → the features that it stands for."""
    config: str = field(default_factory=lambda: TenantConfig().model_dump_json(by_alias=True))
    """The whole of it in its file's form, with all defaults, as JSON: for the relation `declared`."""

    def features_of(self, name: str) -> tuple[str, ...]:
        """The features that a name stands for: those of a group, else itself."""
        return self.feature_groups.get(name, (name,))

    def integration_rows(self, question: Question) -> list[dict[str, str]]:
        """The dimensions of each declared integration, where it is split by them alone.

        Each of the accounts that are filtered by could have deliveries of it.
        """
        known = {"integration", "direction"}
        if "integration" not in question.by or not known >= {*question.by} or not known | {"account"} >= {*question.filters}:
            return []
        rows = [{"integration": name, "direction": direction} for name, direction in self.integrations.items()]
        return [
            {name: row[name] for name in question.by}
            for row in rows
            if all(row[name] in values for name, values in question.filters.items() if name in known)
        ]


def default_window(head: Head, config: TenantConfig) -> str:
    """The window of a question that names none: the head's, or what the tenant's configuration decides; "": no such key."""
    if not head.default_window_from:
        return head.default_window
    table, _, key = head.default_window_from.partition(".")
    return str(getattr(getattr(config, table, None), key, ""))


def declared_of(config: TenantConfig) -> Declared:
    """Pick out the parts that statements read; to be kept for as long as the version counts."""
    return Declared(
        holidays=tuple((day - EPOCH).days for day in config.holidays),
        integrations={name: each.direction for name, each in config.integrations.items()},
        feature_groups={name: tuple(members) for name, members in config.feature_groups.items()},
        config=config.model_dump_json(by_alias=True),
    )
