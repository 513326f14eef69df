"""Units as products of powers of symbols: enough to say which unit a coefficient has.

Symbols are not converted: ``cm`` and ``m`` are two units, and a data set should use one.
"""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction

from mechlearn.errors import InputError

#: Powers of unit symbols, for instance {"m": 1, "s": -2}; no zeros.
Dimensions = dict[str, Fraction]

_TOKEN = re.compile(
    r"\s*(?:(?P<symbol>[^\W\d]+|%|1)(?:\^(?P<open>\()?(?P<power>-?\d+(?:/\d+)?)(?(open)\)))?|(?P<operator>[/()*·]))"
)


def unit_dimensions(unit: str) -> Dimensions:
    """Read a unit: symbols with powers, side by side or divided; a division holds for the next factor.

    Parameters
    ----------
    unit
        For instance ``kg m^2/s^2``, ``1/(m s)`` or ``1``.

    Raises
    ------
    InputError
        If it cannot be read.

    Examples
    --------
    >>> sorted((symbol, int(power)) for symbol, power in unit_dimensions("kg m/(s^2 K)").items())
    [('K', -1), ('kg', 1), ('m', 1), ('s', -2)]
    """
    powers: Counter[str] = Counter()
    signs, sign, place = [1], 1, 0
    while place < len(unit.rstrip()):
        token = _TOKEN.match(unit, place)
        if token is None:
            raise InputError(f"the unit {unit!r} cannot be read at {unit[place:]!r}; write it like 'kg m/s^2'")
        place = token.end()
        match token["operator"]:
            case "/":
                sign = -1
            case "(":
                signs.append(signs[-1] * sign)
                sign = 1
            case ")" if len(signs) > 1:
                signs.pop()
            case ")":
                raise InputError(f"the unit {unit!r} closes a parenthesis that was not opened")
            case None:
                if token["symbol"] != "1":
                    powers[token["symbol"]] += signs[-1] * sign * Fraction(token["power"] or 1)  # type: ignore[assignment]
                sign = 1
    if len(signs) > 1:
        raise InputError(f"the unit {unit!r} does not close its parenthesis")
    return {symbol: Fraction(power) for symbol, power in powers.items() if power}


def unit_text(dimensions: Dimensions) -> str:
    """Write a unit in the form that ``unit_dimensions`` reads.

    Examples
    --------
    >>> unit_text(unit_dimensions("1/(m s)"))
    '1/(m s)'
    """
    above = [_power(symbol, power) for symbol, power in dimensions.items() if power > 0]
    below = [_power(symbol, -power) for symbol, power in dimensions.items() if power < 0]
    denominator = f"({' '.join(below)})" if len(below) > 1 else "".join(below)
    return (" ".join(above) or "1") + (f"/{denominator}" if below else "")


def product(*factors: tuple[str | None, int]) -> str | None:
    """The unit of a product of powers; unknown where one is unknown.

    Examples
    --------
    >>> product(("m/s^2", 1), ("1/(m s)", -1))
    'm^2/s'
    """
    powers: Dimensions = {}
    for unit, exponent in factors:
        if unit is None:
            return None
        for symbol, power in unit_dimensions(unit).items():
            powers[symbol] = powers.get(symbol, Fraction(0)) + exponent * power
    return unit_text({symbol: power for symbol, power in powers.items() if power})


def _power(symbol: str, power: Fraction) -> str:
    if power == 1:
        return symbol
    return f"{symbol}^{power}" if power.denominator == 1 else f"{symbol}^({power})"
