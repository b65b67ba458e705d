"""io.tidegauge.feedback.v1: a survey answered, or sent."""

from typing import Final, Literal, get_args

from service.domain.families.envelope import Envelope, Family, Intake, missing
from service.domain.families.fields import MAX_SCORE, Data, Id, Name, Scale, Score, Text, Themes
from service.domain.families.head import head_of
from service.domain.families.rows import FeedbackRow
from service.domain.ids import IdHash
from service.domain.reasons import Reason
from service.errors import EventRefused

NPS: Final = "nps"
"""The survey whose scores are 0 to 10; those of all others are 1 to their scale."""
DEFAULT_SCALE: Final = 5
RESPONDED: Final = "responded"

Action = Literal["invited", "responded", "followed_up"]
ACTIONS: Final[tuple[str, ...]] = get_args(Action)
"""Steps in the order in which those of one instant are taken."""

_NAMES = ("data.survey", "data.wave", "data.category")


class FeedbackData(Data, kw_only=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """Fields of an answer, of an invitation, or of what followed."""

    survey: Name
    action: Action | None = None
    score: Score | None = None
    scale: Scale | None = None
    wave: Name | None = None
    about: Text | None = None
    category: Name | None = None
    sentiment: Literal["positive", "neutral", "negative"] | None = None
    themes: Themes | None = None


class FeedbackEvent(Envelope, kw_only=True, frozen=True, gc=False, tag="io.tidegauge.feedback.v1"):
    """Feedback, as it is sent."""

    subject: Id
    data: FeedbackData


def to_row(event: FeedbackEvent, id_hash: IdHash, time_us: int | None, raw: bytes | None, intake: Intake) -> FeedbackRow:
    """Make the row of a step of feedback."""
    data = event.data
    action = data.action or RESPONDED
    if data.score is None and action == RESPONDED:
        raise missing("data.score", "an answer has a score; send it, or the action invited or followed_up")
    names = (data.survey, data.wave or "", data.category or "")
    if not intake.names.issuperset(names):
        intake.names.require(_NAMES, names)
    themes = data.themes or []
    if not intake.names.issuperset(themes):
        intake.names.require([f"data.themes[{index}]" for index in range(len(themes))], themes)
    return FeedbackRow(
        *head_of(event, id_hash, time_us, raw, intake),
        event.subject,
        data.survey,
        action,
        data.score,
        _scale(data),
        names[1],
        data.about or "",
        names[2],
        data.sentiment or "",
        themes,
    )


def _scale(data: FeedbackData) -> int | None:
    """What the score is out of, None where there is none; raises EventRefused where the two do not fit."""
    is_nps = data.survey == NPS
    if is_nps and data.scale not in {None, MAX_SCORE}:
        raise EventRefused(Reason.NOT_ALLOWED, "data.scale", f"{NPS} is always 0 to {MAX_SCORE}; leave scale out")
    if data.score is None:
        return None
    scale = data.scale or (MAX_SCORE if is_nps else DEFAULT_SCALE)
    least = 0 if is_nps else 1
    if not least <= data.score <= scale:
        detail = f"is not {least} to {scale}, the scale of this answer; send scale with it where it is another"
        raise EventRefused(Reason.OUT_OF_RANGE, "data.score", detail)
    return scale


FAMILY = Family(
    name="feedback",
    event=FeedbackEvent,
    to_row=to_row,
    title="A survey answered, or sent",
    example={
        "specversion": "1.0",
        "id": "3f8a2c1e-feedback-1",
        "source": "/surveys/mailer",
        "type": "io.tidegauge.feedback.v1",
        "time": "2025-11-17T11:00:00Z",
        "subject": "user-42",
        "account": "acme",
        "data": {
            "survey": "csat",
            "score": 4,
            "scale": 5,
            "wave": "2025-Q4",
            "about": "csv_export",
            "category": "usability",
            "sentiment": "positive",
            "themes": ["speed", "layout"],
        },
    },
    rules={
        "allOf": [
            {
                "if": {"properties": {"action": {"enum": [RESPONDED, None]}}},
                "then": {"required": ["score"], "properties": {"score": {"type": "integer"}}},
            },
            {
                "if": {"properties": {"survey": {"const": NPS}}},
                "then": {"properties": {"scale": {"enum": [MAX_SCORE, None]}}},
                "else": {"properties": {"score": {"minimum": 1}}},
            },
        ]
    },
    defaults={"action": RESPONDED, "scale": DEFAULT_SCALE},
)
