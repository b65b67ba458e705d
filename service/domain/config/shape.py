"""What the configuration has to know of a KPI in order to check what is said about it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

_COUNTED = {"count": "count", "share_within": "ratio"}
_DISTRIBUTION = frozenset({"mean", "p95"})


@dataclass(frozen=True, slots=True)
class KpiShape:
    """A KPI as the catalog declares it."""

    unit: str
    """Of its values in the API: ms, s, ratio, count …; "" where it is the event's own (`meter`)."""
    statistics: tuple[str, ...] = ()
    """What may follow a dot: `p95`, `5xx`, `per_minute` …; the main value of a KPI has no name."""
    dimensions: tuple[str, ...] = ()
    """What it can be split by; `NAME.*` stands for every dimension that begins with `NAME.`."""
    units: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Units of those statistics that are not in the KPI's own, by statistic."""
    required: tuple[str, ...] = ()
    """Dimensions to be named: nothing is added up across them."""
    windows: tuple[str, ...] = ()
    """Windows that it can be asked for; none named: any."""

    parameters: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict, hash=False)
    """Choices beside its dimensions, each with the values that there are; none: any number; None: a feature, to be named."""

    most: Mapping[str, int] = field(default_factory=dict, hash=False)
    """Of those that are whole numbers from 0 on, the greatest."""

    @property
    def limit(self) -> str:
        """The name of the limit that `share_within` is of; "" where there is no such statistic."""
        if "share_within" not in self.statistics:
            return ""
        return "limit_ms" if self.unit in {"ms", "s"} else "limit_value"

    @property
    def is_distribution(self) -> bool:
        """Whether it has only statistics and no main value."""
        return set(self.statistics) >= _DISTRIBUTION

    def unit_of(self, statistic: str | None) -> str:
        """The unit of one statistic, or of the main value."""
        if statistic is None:
            return self.unit
        if self.is_distribution and statistic in _COUNTED:
            return _COUNTED[statistic]
        return self.units.get(statistic, self.unit)

    def splits_by(self, dimension: str) -> bool:
        """Whether it can be split and filtered by a dimension."""
        family, dot, _ = dimension.partition(".")
        return dimension in self.dimensions or (bool(dot) and f"{family}.*" in self.dimensions)


KnownKpis = Mapping[str, KpiShape] | Collection[str]
"""The catalog's KPIs with their shapes, or their ids alone; empty: nothing is known, names go unchecked."""
