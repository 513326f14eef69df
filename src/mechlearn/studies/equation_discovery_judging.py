"""Equations found against what they should be: which terms, and how far their coefficients are off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

#: Coefficients by left-hand side and term.
Terms = Mapping[str, Mapping[str, float]]


def terms_of(equations: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Coefficients by left-hand side and term, from equations as JSON has them.

    Examples
    --------
    >>> terms_of([{"lhs": "u_t", "terms": [{"name": "u_xx", "coefficient": 0.1}]}])
    {'u_t': {'u_xx': 0.1}}
    """
    return {
        equation["lhs"]: {term["name"]: term["coefficient"] for term in equation["terms"]} for equation in equations
    }


def is_exact(found: Terms, truth: Terms) -> bool:
    """Whether all equations have exactly the terms they should have."""
    return {lhs: set(terms) for lhs, terms in found.items()} == {lhs: set(terms) for lhs, terms in truth.items()}


def largest_error(found: Terms, truth: Terms) -> float:
    """The largest relative error of a coefficient, where all terms are there.

    Examples
    --------
    >>> round(largest_error({"u_t": {"u_xx": 0.11}}, {"u_t": {"u_xx": 0.1}}), 3)
    0.1
    """
    return max(abs(found[lhs][term] / value - 1) for lhs, terms in truth.items() for term, value in terms.items())


def judged(found: Sequence[Terms], truth: Terms) -> dict[str, Any]:
    """How many have exactly the right terms, and how far these are off.

    Parameters
    ----------
    found
        Of every draw.
    truth
        What they should be.
    """
    errors = [largest_error(terms, truth) for terms in found if is_exact(terms, truth)]
    return {
        "seeds": len(found),
        "exact": len(errors),
        "within_5_percent": sum(error <= 0.05 for error in errors),
        "median_error": float(np.median(errors)) if errors else None,
        "largest_error": max(errors, default=None),
        "mean_terms": float(np.mean([sum(map(len, terms.values())) for terms in found])),
    }
