"""The merge of deliveries whose acceptance is told (see merges.py)."""

from typing import Final

_TOLD = ("accepted_us", "source", "id", "account", "integration", "direction", "limit_ns", "is_excluded")
_EARLIER = """(s.accepted_us is not null and (d.accepted_us is null or (s.accepted_us, s.source collate "C", s.id collate "C")
        < (d.accepted_us, d.source collate "C", d.id collate "C")))"""
_NEWS = f"({_EARLIER} or s.final_us < coalesce(d.final_us, s.final_us + 1))"

# Of each delivery the earliest acceptance, and the earliest final.
TRACKED: Final = f"""
merge into tracked_delivery d
using flush_tracked s on d.tenant = s.tenant and d.delivery = s.delivery
when matched and {_NEWS} then update set
    {", ".join(f"{name} = case when {_EARLIER} then s.{name} else d.{name} end" for name in _TOLD)},
    final_us = least(d.final_us, s.final_us)
when not matched then insert (tenant, delivery, {", ".join(_TOLD)}, final_us)
    values (s.tenant, s.delivery, {", ".join(f"s.{name}" for name in _TOLD)}, s.final_us)
"""
