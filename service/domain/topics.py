"""Which topics of Kafka the tenants of an installation may read: patterns that its operator sets."""

import re
from collections.abc import Sequence
from typing import Final

ANY_TOPIC: Final = "*"
_PATTERN: Final = re.compile(r"(?:[a-zA-Z0-9._*-]|\{tenant\})+")


def is_pattern(text: str) -> bool:
    """Whether it is a pattern of topics: letters, digits, `. _ -`, `*` for anything, and `{tenant}`."""
    return _PATTERN.fullmatch(text) is not None


def is_allowed(topic: str, tenant: str, patterns: Sequence[str]) -> bool:
    """Whether a tenant may read a topic: one of the patterns fits it, `*` standing for anything, `{tenant}` for its name."""
    for pattern in patterns:
        parts = [".*".join(map(re.escape, part.split("*"))) for part in pattern.split("{tenant}")]
        if re.fullmatch(re.escape(tenant).join(parts), topic):
            return True
    return False
