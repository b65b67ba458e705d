"""Pieces of PromQL and of Prometheus's templates, with what stands in them escaped.

Literals: https://prometheus.io/docs/prometheus/latest/querying/basics/ (String literals); regular expressions are RE2's.
"""

import re
from collections.abc import Collection, Mapping, Sequence

_META = re.compile(r"([\\.+*?()|\[\]{}^$])")
_BREAKS = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})


def quoted(text: str) -> str:
    """A string literal."""
    return f'"{text.translate(_BREAKS)}"'


def matcher(label: str, values: Sequence[str]) -> str:
    """`label="value"`, or for several values `label=~"a|b"`."""
    if len(values) == 1:
        return f"{label}={quoted(values[0])}"
    either = "|".join(_META.sub(r"\\\1", value) for value in values)
    return f"{label}=~{quoted(either)}"


def unlike(label: str, values: Sequence[str]) -> str:
    """The matcher of all but some values: `label!~"a|b"`."""
    return matcher(label, (*values, "")).replace("=~", "!~", 1)


def series(name: str, matchers: Mapping[str, Sequence[str]]) -> str:
    """An instant selector; labels in the order in which they are given."""
    return f"{name}{{{','.join(matcher(label, values) for label, values in matchers.items())}}}"


def newest(selector: str, by: Collection[str]) -> str:
    """One series of what every instance shows alike; `by` are the labels that are left."""
    return f"max by ({', '.join(by)}) ({selector})"


def number(value: float) -> str:
    """A number as short as it can be written without losing any of it."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)  # noqa: PLR2004  # integers to there


def literal(text: str) -> str:
    """A text for labels and annotations: what would begin an action of a template is put in as it is."""
    return text.replace("{{", '{{ "{{" }}')


def value_template(unit: str) -> str:
    """The template that shows an alert's value for people; `unit` is that of the series, a base unit."""
    match unit:
        case "ratio":
            return "{{ $value | humanizePercentage }}"
        case "s":
            return "{{ $value | humanizeDuration }}"
        case _:
            return f'{{{{ $value | printf "%.4g" }}}}{f" {literal(unit)}" if unit else ""}'


def value_text(value: float, unit: str) -> str:
    """A limit for people, in a base unit: 0.05 of `ratio` is 5%."""
    match unit:
        case "ratio":
            return f"{value * 100:.10g}%"
        case "s":
            return f"{value * 1000:.10g} ms" if abs(value) < 1 else f"{value:.10g} s"
        case _:
            return f"{value:.10g} {unit}".rstrip()
