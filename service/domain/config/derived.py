"""What events are folded with of declared milestones and funnels: first uses to keep, and milestones made of others."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from service.domain.config.milestones import Funnel, Milestone
from service.domain.foldconfig import FIRST, FirstUse, Together

_FEATURE: Final = "feature:"
_OF_ANYTHING: Final = frozenset({"active", "activated"})


def first_uses(
    milestones: Mapping[str, Milestone], funnels: Sequence[Funnel], features_of: Callable[[str], Sequence[str]]
) -> tuple[FirstUse, ...]:
    """First uses that are kept: of derived milestones, and of the steps of ordered funnels; `features_of` knows groups."""
    kept = [
        FirstUse(name, frozenset(features_of(each.feature)), of_account=each.account)
        for name, each in milestones.items()
        if each.feature is not None
    ]
    steps = {step.users or "" for funnel in funnels if funnel.ordered for step in funnel.steps}
    named = sorted(step.removeprefix(_FEATURE) for step in steps if step.startswith(_FEATURE))
    kept += [FirstUse(FIRST + name, frozenset(features_of(name))) for name in named]
    if steps & _OF_ANYTHING:
        kept.append(FirstUse(FIRST))
    return tuple(sorted(kept, key=lambda each: each.milestone))


def together(milestones: Mapping[str, Milestone]) -> tuple[Together, ...]:
    """Milestones that are made of others, each with all that it is made of in the end."""
    return tuple(
        Together(name, tuple(sorted(_parts(each, milestones))), of_account=each.account)
        for name, each in sorted(milestones.items())
        if each.all_of
    )


def _parts(milestone: Milestone, milestones: Mapping[str, Milestone]) -> set[str]:
    """What no other milestone stands behind; the check of the file has found that none is made of itself."""
    found: set[str] = set()
    for part in milestone.all_of:
        inner = milestones.get(part)
        found |= _parts(inner, milestones) if inner is not None and inner.all_of else {part}
    return found
