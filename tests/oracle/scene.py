"""Where a stream plays: a zone, the day on which its clocks or its calendar change, and what the tenant declares."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from service.clock import DAY, HOUR, QUARTER, SECOND, to_us

AUTUMN, SPRING = date(2025, 11, 5), date(2026, 4, 8)
"""The days on which streams are read: minutes are kept for 32 days before them."""
RECEIPT_OFFSET_US = 17 * 60 * SECOND + 3 * SECOND + 7
"""Receipts are whole hours and this: copies without a time come at distances of whole hours."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A zone, and a local day that is worth a look."""

    zone: str
    change: date

    @property
    def season(self) -> date:
        """The day on which the stream is read."""
        return AUTUMN if self.change < AUTUMN else SPRING

    @property
    def now_us(self) -> int:
        """When figures are asked for: nothing came later."""
        return self.midnight(4) // QUARTER * QUARTER + 10 * HOUR

    def midnight(self, days: int = 0) -> int:
        """Local midnight so many days after the change, in microseconds."""
        day = self.change + timedelta(days=days)
        return to_us(datetime.combine(day, time(0), ZoneInfo(self.zone)))

    def local_day(self, instant_us: int) -> date:
        """The local day of an instant."""
        return local_day(instant_us, self.zone)

    def receipts(self) -> list[int]:
        """When requests came, in order."""
        start = self.midnight(-1) // HOUR * HOUR + RECEIPT_OFFSET_US
        return [start + hours * HOUR for hours in (0, 5, 24, 25, 49, 72, 96, 121)]

    def borders(self) -> list[int]:
        """Instants at which windows meet: local midnights, and the hours around the change of the clocks."""
        days = [self.midnight(day) for day in range(-8, 5)]
        return days + [self.midnight() + hours * HOUR // 2 for hours in range(2, 9)]


def local_day(instant_us: int, zone: str) -> date:
    """The local day of an instant in microseconds."""
    return (datetime.fromtimestamp(instant_us // SECOND, ZoneInfo(zone))).date()


SCENES = (
    Scene("America/New_York", date(2025, 11, 2)),
    Scene("America/New_York", date(2026, 3, 8)),
    Scene("Australia/Lord_Howe", date(2026, 4, 5)),
    Scene("Australia/Lord_Howe", date(2025, 10, 5)),
    Scene("Europe/London", date(2025, 10, 26)),
    Scene("Europe/London", date(2026, 3, 29)),
    Scene("Asia/Kathmandu", date(2025, 11, 1)),
    Scene("Asia/Kathmandu", date(2026, 4, 1)),
)
PAIRS = tuple((one, other) for one in SCENES for other in SCENES if one != other and one.season == other.season)
"""Of tenants that live at the same time, in different zones."""
CHOICES = {
    "start": ("first_login", "signed_up"),
    "activated": ("first_use", "signed_up"),
    "mttr_from": ("detected", "opened"),
    "critical": ("true", "false"),
}
"""What is declared in one way or another."""
LATENESS_US, SKEW_US = 7 * DAY, 300 * SECOND

INTEGRATIONS = {"sap": ("inbound", 500), "workday": ("outbound", 300), "unused": ("inbound", 100)}
FIRST_VERSION = """
[tenant]
timezone = "{zone}"
holidays = [{holiday}]
[activity]
ignore_features = ["heartbeat"]
time_to_first_value_from = "{start}"
activated_user = "{activated}"
mttr_from = "{mttr_from}"
business_days_only = ["stickiness_weekly"]
[features.csv_export]
adoption_target = 0.3
frequency = true
[features."*"]
frequency = true
[features.audit]
eligible = {{ role = ["admin"] }}
[feature_groups]
export = ["csv_export", "pdf_export"]
[properties]
plan = {{ values = 20 }}
[milestones.first_export]
feature = "export"
[milestones.whole]
all_of = ["first_export", "first_login"]
[milestones.activated]
account = true
all_of = ["first_export", "signed_up"]
[integrations.sap]
direction = "inbound"
limit_ms = {limit_ms}
[integrations.workday]
direction = "outbound"
limit_ms = 300
[integrations.unused]
direction = "inbound"
limit_ms = 100
[components.web]
critical = {critical}
[components.api]
critical = {critical}
quorum = 2
[components.mail]
"""
SECOND_VERSION = "valid_from = {valid_from}\n" + FIRST_VERSION.replace('["heartbeat"]', '["heartbeat", "search"]')
