"""Numbers of the contract made exact: milliseconds to nanoseconds, decimals to units of 10⁻⁹."""

from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal, InvalidOperation

NANO = 1_000_000_000
NANOSECONDS_PER_MS = 1_000_000
DECIMAL_PLACES = 9
MAX_VALUE = 10**15
"""Largest magnitude of a measurement's `value`."""
MAX_QUANTITY = 10**12
MAX_COUNT = 10**9
MAX_DURATION_MS = 400 * 24 * 60 * 60 * 1_000
"""400 days: the longest duration that is taken."""

SURE_NS = 10**12
"""Below it a product of milliseconds is off by less than a thousandth of a nanosecond."""
_DOUBT = 0.001
_NANO_STEP = Decimal(1).scaleb(-DECIMAL_PLACES)
_CONTEXT = Context(prec=64, rounding=ROUND_HALF_EVEN, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[InvalidOperation])


def nanoseconds(milliseconds: float) -> tuple[int, bool]:
    """Round milliseconds half-even to whole nanoseconds; also says whether digits were lost.

    What is rounded is the shortest decimal that the double stands for (what was written, up to 17 digits),
    not the double's own expansion. `milliseconds` lies in 0 … MAX_DURATION_MS.
    """
    scaled = milliseconds * NANOSECONDS_PER_MS
    if scaled < SURE_NS:
        nearest = round(scaled)
        # Below 10¹⁵ a double and a decimal of six places name each other, so equality means that nothing was lost.
        if nearest / NANOSECONDS_PER_MS == milliseconds:
            return nearest, False
        # The product is off by less than a thousandth here: only a tie is in doubt.
        if abs(abs(scaled - nearest) - 0.5) > _DOUBT:
            return nearest, True
    exact = Decimal(repr(float(milliseconds))).scaleb(6, _CONTEXT)
    rounded = int(exact.to_integral_value(ROUND_HALF_EVEN, _CONTEXT))
    return rounded, rounded != exact


def decimal_parts(literal: str) -> tuple[int, int, bool]:
    """Split a JSON number into its whole part and 10⁻⁹ units of the rest, rounded half-even; says whether digits were lost.

    Both parts carry the number's sign: number = whole + nano x 10⁻⁹. Exact for any literal of at most
    MAX_VALUE; raises OverflowError past that magnitude.
    """
    whole, _, rest = literal.partition(".")
    if whole.isdecimal() and len(whole) <= DECIMAL_PLACES and len(rest) <= DECIMAL_PLACES and (not rest or rest.isdecimal()):
        return int(whole), int(rest.ljust(DECIMAL_PLACES, "0")), False
    return _general_parts(literal)


def _general_parts(literal: str) -> tuple[int, int, bool]:
    try:
        exact = Decimal(literal)
    except InvalidOperation:  # an exponent of twenty digits: past every limit, or nothing at all
        if "e-" in literal.lower():
            return 0, 0, True
        raise OverflowError(literal[:40]) from None
    # The exponent first: arithmetic on 1e999999999 would ask for as many digits.
    if exact.is_zero():
        return 0, 0, False
    if exact.adjusted() > len(str(MAX_VALUE)) or abs(exact) > MAX_VALUE:
        raise OverflowError(literal[:40])
    rounded = exact.quantize(_NANO_STEP, ROUND_HALF_EVEN, _CONTEXT)
    nanos = int(rounded.scaleb(DECIMAL_PLACES, _CONTEXT))
    whole, nano = divmod(abs(nanos), NANO)
    sign = -1 if nanos < 0 else 1
    return sign * whole, sign * nano, rounded != exact
