"""What a selector may name beside dimensions: parameters of its KPI, and the limit of `share_within`."""

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction

from service.domain.config.shape import KpiShape
from service.domain.selector import Selector

_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,9})?")
SHARE_WITHIN = "share_within"


def number_text(number: Fraction | str) -> str:
    """A limit or a parameter that is a number so that those which are the same are written the same; else as it is."""
    return str(Fraction(number)) if isinstance(number, Fraction) or _NUMBER.fullmatch(number) else number


def of_dimensions(selector: Selector, shape: KpiShape) -> Selector:
    """The selector with its dimensions alone."""
    return Selector(
        selector.kpi, selector.statistic, {name: of for name, of in selector.where.items() if not _is_choice(name, shape)}
    )


def wrong_choices(selector: Selector, shape: KpiShape) -> Iterator[str]:
    """What is wrong with the parameters and the limit that a selector names, or leaves out though its figure needs them."""
    choices = {name: of for name, of in selector.where.items() if _is_choice(name, shape)}
    for name, given in choices.items():
        allowed = () if name == shape.limit else shape.parameters[name]
        if len(given) != 1:
            yield f"{name} has {len(given)} values: name one"
        elif allowed == () and not _NUMBER.fullmatch(given[0]):
            yield f"{name}={given[0]} is no number of at most 18 digits and 9 decimals"
        elif allowed and given[0] not in allowed:
            yield f"{name}={given[0]} is none of {', '.join(allowed)}"
        elif name in shape.most and not (given[0].isdecimal() and int(given[0]) <= shape.most[name]):
            yield f"{name}={given[0]} is no whole number from 0 to {shape.most[name]}"
    if shape.limit in choices and selector.statistic != SHARE_WITHIN:
        yield f"{shape.limit} goes with share_within alone"
    if selector.statistic == SHARE_WITHIN and shape.limit and shape.limit not in choices:
        yield f"share_within is of a limit: name it, as {{{shape.limit}=…}}"
    if missing := [name for name, allowed in shape.parameters.items() if allowed is None and name not in choices]:
        yield f"{selector.kpi} is of {' and '.join(missing)}: name them, as {{{','.join(f'{name}=…' for name in missing)}}}"


def way_out(selector: Selector, shape: KpiShape) -> str:
    """How a figure that needs parameters or a limit is named where none can be: as a formula; "" where it needs none."""
    needs: Mapping[str, object] = {name: "…" for name, allowed in shape.parameters.items() if allowed is None}
    if selector.statistic == SHARE_WITHIN and shape.limit:
        needs = {**needs, shape.limit: "…"}
    needs = {**needs, **{name: ",".join(of) for name, of in selector.where.items() if _is_choice(name, shape)}}
    if not needs:
        return ""
    named = ",".join(f"{name}={of}" for name, of in needs.items())
    figure = f"{selector.kpi}.{selector.statistic}" if selector.statistic else selector.kpi
    return f'declare a [[formula]] with expression = "{figure}{{{named}}}", and name that'


def _is_choice(name: str, shape: KpiShape) -> bool:
    return not shape.splits_by(name) and (name in shape.parameters or (bool(shape.limit) and name == shape.limit))
