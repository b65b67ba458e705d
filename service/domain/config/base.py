"""What every table of the configuration shares: closed keys, names, numbers, and the checks of a selector."""

import difflib
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Annotated, Final, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationInfo

from service.domain import units
from service.domain.config.choices import of_dimensions, way_out, wrong_choices
from service.domain.config.shape import KnownKpis, KpiShape
from service.domain.selector import Selector, parse_selector

MAX_NAMES: Final = 1_000
MAX_VALUES: Final = 100
MAX_NAME_CHARACTERS: Final = 100
_UNFIT = re.compile(r'[,{}="]')

Flag = Annotated[bool, Strict()]
Day = Annotated[date, Strict()]


def _share(written: object) -> object:
    return units.amount(written, "ratio") if isinstance(written, str) else written


Share = Annotated[float, Strict(), Field(ge=0, le=1), BeforeValidator(_share)]
"""From 0 to 1, or written as a text such as "30%"."""


class Several(ValueError):
    """Mistakes inside one value, each with the rest of its path."""

    def __init__(self, parts: Sequence[tuple[tuple[str | int, ...], str]]) -> None:
        super().__init__("; ".join(message for _, message in parts))
        self.parts = parts


class Table(BaseModel):
    """A table of the file: keys that it does not know are mistakes, and what was read stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)


def check_name(name: str) -> str:
    """Check a name by the event contract's rule; raises ValueError."""
    if not 1 <= len(name) <= MAX_NAME_CHARACTERS:
        raise ValueError(f"a name has 1 to {MAX_NAME_CHARACTERS} characters, and this one has {len(name)}")
    if not name.isprintable() or unicodedata.normalize("NFC", name) != name:
        raise ValueError(f"{name!r} is no name: names are printable and in Unicode's form NFC")
    if _UNFIT.search(name) or name.startswith("~"):
        raise ValueError(f'{name!r} is no name: names hold none of , {{ }} = " and do not begin with ~')
    return name


Name = Annotated[str, AfterValidator(check_name)]


def or_similar(word: str, known: Collection[str]) -> str:
    """`; did you mean …?` where something known looks like the word, else nothing."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def known_kpis(info: ValidationInfo) -> KnownKpis:
    """The catalog's KPIs, as handed to parse(); empty where they are not known."""
    return cast(KnownKpis, (info.context or {}).get("known_kpis", ()))


def check_selector(selector: Selector, known: KnownKpis, *, chooses: bool = False) -> None:
    """Check that the catalog has the KPI, the statistic and the dimensions; raises ValueError naming each that it lacks.

    `chooses`: it may name parameters and a limit, too.
    """
    if not known:
        return
    if selector.kpi not in known:
        raise ValueError(f"there is no KPI {selector.kpi}{or_similar(selector.kpi, known)}")
    if not isinstance(known, Mapping):
        return
    shape = known[selector.kpi]
    lacks = [message for _, message in unknown_dimensions(selector, known, chooses=chooses)]
    if selector.statistic is not None and selector.statistic not in shape.statistics:
        similar = or_similar(selector.statistic, shape.statistics)
        lacks.append(f"{selector.kpi} has no statistic {selector.statistic}{similar}{_of(shape.statistics)}")
    if selector.statistic is None and shape.is_distribution:
        lacks.append(f"{selector.kpi} has several statistics: name one after a dot, of {', '.join(shape.statistics)}")
    if lacks:
        raise Several([((), message) for message in lacks])


def unknown_dimensions(selector: Selector, known: KnownKpis, *, chooses: bool = False) -> list[tuple[str, str]]:
    """The dimensions that the KPI of a selector cannot be split by, each with what to say of it."""
    if not isinstance(known, Mapping) or selector.kpi not in known:
        return []
    shape = known[selector.kpi]
    named = of_dimensions(selector, shape).where if chooses else selector.where
    return [(dimension, _unknown(selector, dimension, shape)) for dimension in named if not shape.splits_by(dimension)]


def _unknown(selector: Selector, dimension: str, shape: KpiShape) -> str:
    if dimension in {*shape.parameters, shape.limit}:
        return f"{dimension} is a choice of {selector.kpi}, and no dimension: {way_out(selector, shape)}"
    return f"{selector.kpi} cannot be split by {dimension}{or_similar(dimension, shape.dimensions)}{_of(shape.dimensions)}"


def incomplete(selector: Selector, known: KnownKpis, *, chooses: bool = False) -> str:
    """What a whole selector leaves out that its figure needs: what a KPI is never added up across, a limit; "" for nothing.

    `chooses`: it may name parameters and a limit, and what is wrong with them is told as well.
    """
    if not isinstance(known, Mapping) or selector.kpi not in known:
        return ""
    if chooses:
        said = [*wrong_choices(selector, known[selector.kpi]), unnamed(of_dimensions(selector, known[selector.kpi]), known)]
        return "; ".join(filter(None, said))
    if chosen := way_out(selector, known[selector.kpi]):
        return f"{selector} leaves open what it is of: {chosen}"
    return unnamed(selector, known)


def unnamed(selector: Selector, known: KnownKpis) -> str:
    """What a KPI is never added up across, and a selector does not name; "" for nothing."""
    if not isinstance(known, Mapping) or selector.kpi not in known:
        return ""
    missing = [each for each in known[selector.kpi].required if each not in selector.where]
    named = ", ".join(f"{each}=…" for each in missing)
    return f"{selector.kpi} is never added up across {' and '.join(missing)}: name it, as {{{named}}}" if missing else ""


def _of(known: Collection[str]) -> str:
    return f"; it has {', '.join(known)}" if known else "; it has none"


def _selector_text(text: str, info: ValidationInfo) -> str:
    selector = parse_selector(text)
    check_selector(selector, known_kpis(info))
    if said := incomplete(selector, known_kpis(info)):
        raise ValueError(said)
    return text


def _figure_text(text: str, info: ValidationInfo) -> str:
    selector = parse_selector(text)
    check_selector(selector, known_kpis(info), chooses=True)
    if said := incomplete(selector, known_kpis(info), chooses=True):
        raise ValueError(said)
    return text


SelectorText = Annotated[str, AfterValidator(_selector_text)]
"""A selector of dimensions alone, checked against the catalog."""
FigureText = Annotated[str, AfterValidator(_figure_text)]
"""A selector that may name parameters and a limit as well."""
