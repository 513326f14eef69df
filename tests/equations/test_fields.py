"""Fields hold together, and what cannot be used is named with its place."""

import numpy as np
import pytest

from mechlearn.equations import Field
from mechlearn.errors import InputError

X, T = np.linspace(0, 1, 7), np.linspace(0, 2, 5)
U = np.sin(3 * X[:, None] + T)


def test_what_cannot_be_used_is_refused():
    with pytest.raises(InputError, match="same value everywhere"):
        Field({"u": np.ones((7, 5))}, {"x": X, "t": T}).require_change()
    with pytest.raises(InputError, match="u has no number anywhere"):
        Field({"u": np.full((7, 5), np.nan)}, {"x": X, "t": T})
    with pytest.raises(InputError, match=r"u has the shape \(5, 7\)"):
        Field({"u": U.T}, {"x": X, "t": T})
    with pytest.raises(InputError, match=r"x does not rise from 1 to 0\.833333 \(points 0 and 1\)"):
        Field({"u": U}, {"x": X[::-1], "t": T})
    with pytest.raises(InputError, match=r"t does not rise from 0\.5 to nan"):
        Field({"u": U}, {"x": X, "t": np.where(T == 1, np.nan, T)})
    with pytest.raises(InputError, match="no coordinate t"):
        Field({"u": U}, {"x": X, "y": T})
    with pytest.raises(InputError, match="'u_x' cannot name a field"):
        Field({"u_x": U}, {"x": X, "t": T})
    with pytest.raises(InputError, match="x is not uniform: a step of"):
        Field({"u": U}, {"x": X**2 + X, "t": T}).steps()


def test_gaps_are_refused_with_the_place_of_the_first():
    values = U.copy()
    values[-1, -1] = np.nan
    with pytest.raises(InputError, match="at 1 of 35 points, first at x = 1, t = 2"):
        Field({"u": values}, {"x": X, "t": T}).require_complete()
