"""Every family of events that this version takes: a new one is its module and a line here."""

from collections.abc import Mapping
from typing import Final

from service.domain.families import (
    account,
    delivery,
    feedback,
    incident,
    item,
    measurement,
    probe,
    recovery,
    request,
    ticket,
    usage,
    user,
)
from service.domain.families.envelope import Family

FAMILIES: Final[tuple[Family, ...]] = (
    usage.FAMILY,
    user.FAMILY,
    delivery.FAMILY,
    request.FAMILY,
    probe.FAMILY,
    measurement.FAMILY,
    incident.FAMILY,
    account.FAMILY,
    recovery.FAMILY,
    ticket.FAMILY,
    feedback.FAMILY,
    item.FAMILY,
)
BY_TYPE: Final[Mapping[str, Family]] = {family.type: family for family in FAMILIES}
"""By CloudEvents `type`."""
