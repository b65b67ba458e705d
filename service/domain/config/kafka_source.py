"""`[[kafka_source]]`: the topics that a tenant's events are read from."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from service.domain.config.base import Flag, Several, Table

MAX_SOURCES: Final = 100
MAX_TOPIC_CHARACTERS: Final = 249
_TOPIC = re.compile(r"[a-zA-Z0-9._-]+")


def check_topic(topic: str) -> str:
    """Check a name by Kafka's own rule (`org.apache.kafka.common.internals.Topic`); raises ValueError."""
    if not 1 <= len(topic) <= MAX_TOPIC_CHARACTERS:
        raise ValueError(f"a topic's name has 1 to {MAX_TOPIC_CHARACTERS} characters, and this one has {len(topic)}")
    if _TOPIC.fullmatch(topic) is None or topic in {".", ".."}:
        raise ValueError(f"{topic!r} is no topic: its name is made of letters from a to z, digits and . _ -")
    return topic


class KafkaSource(Table):
    """One topic, whole; its events are this tenant's."""

    topic: Annotated[str, AfterValidator(check_topic)]
    backfill: Flag = False
    """It holds history: its events may be of any age."""


def _each_once(sources: tuple[KafkaSource, ...]) -> tuple[KafkaSource, ...]:
    first: dict[str, int] = {}
    again: list[tuple[tuple[str | int, ...], str]] = []
    for index, source in enumerate(sources):
        if first.setdefault(source.topic, index) != index:
            again.append(((index, "topic"), f"{source.topic} is declared already, as kafka_source[{first[source.topic]}]"))
    if again:
        raise Several(again)
    return sources


KafkaSources = Annotated[tuple[KafkaSource, ...], Field(max_length=MAX_SOURCES), AfterValidator(_each_once)]


def is_of_the_log(topic: str, prefix: str) -> bool:
    """Whether a topic is a generation of the event log itself: read as a source, it would feed on itself."""
    return re.fullmatch(re.escape(prefix) + "-[0-9]+", topic) is not None
