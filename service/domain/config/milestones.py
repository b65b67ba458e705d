"""The tables `[milestones.NAME]` and `[[funnel]]`: milestones derived of uses and of each other, and steps towards a goal.

What holds between several of them is checked in `related.py`.
"""

from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from service.domain.config.base import Flag, Name, Table, check_name, or_similar
from service.domain.config.terms import Stretch

MAX_MILESTONES: Final = 100
MAX_PARTS: Final = 10
MAX_FUNNELS: Final = 50
MAX_STEPS: Final = 20
ACCOUNT_STEPS: Final = ("known", "prospect", "invited", "onboarding", "trial", "active", "at_risk", "churned", "activated")
USER_STEPS: Final = ("provisioned", "active", "activated")


class Milestone(Table):
    """`[milestones.NAME]`: reached with the first use of a feature, or when the last of several milestones is (F)."""

    feature: Name | None = None
    """A feature or a group of them."""
    account: Flag = False
    """Of an account: one of its users has to do it, all parts the same one."""
    all_of: tuple[Name, ...] = Field(default=(), max_length=MAX_PARTS)
    """Milestones of a user, sent or derived."""

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.feature is None) == (not self.all_of):
            raise ValueError("a milestone is derived of a `feature` or of `all_of` several milestones: write one of the two")
        return self


Milestones = Annotated[dict[Name, Milestone], Field(max_length=MAX_MILESTONES)]


def _whose(text: str, known: tuple[str, ...], kinds: tuple[str, ...]) -> str:
    kind, colon, name = text.partition(":")
    if colon and kind in kinds:
        check_name(name)
    elif text not in known:
        forms = ", ".join(f"{kind}:NAME" for kind in kinds)
        raise ValueError(f'"{text}" is nobody{or_similar(text, known)}: write one of {", ".join(known)}, or {forms}')
    return text


def _accounts(text: str) -> str:
    return _whose(text, ACCOUNT_STEPS, ("milestone",))


def _users(text: str) -> str:
    return _whose(text, USER_STEPS, ("milestone", "feature"))


class Step(Table):
    """One step of a funnel: which accounts, or which users, have come so far."""

    name: Name
    accounts: Annotated[str, AfterValidator(_accounts)] | None = None
    users: Annotated[str, AfterValidator(_users)] | None = None
    base: Name | None = None
    """The step that its share is of."""

    @model_validator(mode="after")
    def _counts_one_kind(self) -> Self:
        if (self.accounts is None) == (self.users is None):
            raise ValueError("a step counts `accounts` or `users`: write one of the two")
        return self


class Funnel(Table):
    """`[[funnel]]`: steps, each counted by itself, or one after the other by the same user (F)."""

    name: Name
    ordered: Flag = False
    """Each step after the one before, by the same user."""
    within: Stretch | None = None
    """How long after the first step the last one of a user may be, where it is ordered; None: any time."""
    steps: tuple[Step, ...] = Field(min_length=1, max_length=MAX_STEPS)


DEFAULT_FUNNEL: Final = Funnel(
    name="adoption",
    steps=(
        Step(name="invited", accounts="invited"),
        Step(name="activated", accounts="activated", base="invited"),
        Step(name="provisioned", users="provisioned"),
        Step(name="logged_in", users="active", base="provisioned"),
        Step(name="first_value", users="milestone:first_value", base="logged_in"),
    ),
)
Funnels = Annotated[tuple[Funnel, ...], Field(max_length=MAX_FUNNELS)]
