"""How far the values of a mean lie apart, where its statement gives the sum of their squares."""

from fractions import Fraction

from service.catalog.value import Exact, Figure, exact


def with_variance(figure: Figure, squares: Exact | None) -> Figure:
    """A mean, numerator ÷ denominator of so many values, with their sample variance (rounded once); none of fewer than two.

    Raises ValueError for squares that are too small to be those of the values.
    """
    total, n, of_squares = figure.numerator, figure.denominator, exact(squares)
    if of_squares is None or total is None or n is None or n <= 1:
        return figure
    count, added = Fraction(n), Fraction(total)
    variance = (count * Fraction(of_squares) - added * added) / (count * (count - 1))
    if variance < 0:
        raise ValueError(f"squares: {squares} is less than values of the sum {total} can have, of which there are {n}")
    return Figure(figure.value, total, n, float(variance))
