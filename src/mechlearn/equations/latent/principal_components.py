"""A fixed linear map from many features to the few components in which the data and their rates move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

#: Rows of data, and as many of each derivative, from which the directions are found.
_ROWS = 4000

#: Directions that the search for them begins with.
_FIRST = 32


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """y = V (x - x̄)/s, with orthonormal rows in V, so that errors of y are those of x in units of s.

    Attributes
    ----------
    mean : (features,)
        x̄.
    basis : (components, features)
        V.
    scale
        s, the root mean square of |x - x̄|.

    Examples
    --------
    >>> angle = np.linspace(0, 6, 50)
    >>> circle = np.column_stack([np.cos(angle), np.sin(angle), 0 * angle])
    >>> components = principal_components(circle, [], lost_variance=1e-9, most=3, rng=np.random.default_rng(0))
    >>> components.basis.shape
    (2, 3)
    >>> bool(np.allclose(components.restore(components.project([circle])[0]), circle))
    True
    """

    mean: Float[np.ndarray, " features"]
    basis: Float[np.ndarray, "components features"]
    scale: float

    def project(
        self, derivatives: Sequence[Float[np.ndarray, "samples features"]]
    ) -> list[Float[np.ndarray, "samples components"]]:
        """y and its rates from x and its rates."""
        data, *rates = derivatives
        return [(data - self.mean) @ self.basis.T / self.scale, *(rate @ self.basis.T / self.scale for rate in rates)]

    def restore(self, components: Float[np.ndarray, "samples components"]) -> Float[np.ndarray, "samples features"]:
        """x from y."""
        return self.mean + self.restore_rate(components)

    def restore_rate(self, rate: Float[np.ndarray, "samples components"]) -> Float[np.ndarray, "samples features"]:
        """ẋ from ẏ."""
        return rate @ self.basis * self.scale


def principal_components(
    data: Float[np.ndarray, "samples features"],
    derivatives: Sequence[Float[np.ndarray, "samples features"]],
    *,
    lost_variance: float,
    most: int,
    rng: np.random.Generator,
) -> PrincipalComponents:
    """The directions of the largest share of the variance of data and derivatives, each in units of its own.

    Parameters
    ----------
    data, derivatives : (samples, features)
        x, and ẋ, ẍ.
    lost_variance
        The share that may stay outside, on average over data and derivatives.
    most
        Directions at most; with noise in every feature the share would ask for all of them.
    rng
        The source of the samples that are looked at, and of the search's first directions.

    Notes
    -----
    Halko, Martinsson & Tropp (2011), SIAM Review 53, 217, as scikit-learn has it.
    """
    from sklearn.utils.extmath import randomized_svd

    chosen = np.sort(rng.permutation(len(data))[:_ROWS])
    mean = data.mean(axis=0)
    parts = [data[chosen] - mean, *(rate[chosen] for rate in derivatives)]
    rows = np.concatenate([part / np.linalg.norm(part) for part in parts])
    most = min(most, *rows.shape)
    tried = min(_FIRST, most)
    while True:
        _, singular, basis = randomized_svd(rows, tried, random_state=int(rng.integers(2**31)))
        lost = 1 - np.cumsum(singular**2) / len(parts)
        if lost[-1] <= lost_variance or tried == most:
            break
        tried = min(2 * tried, most)
    kept = min(int(np.sum(lost > lost_variance)) + 1, tried)
    centred = float(np.sqrt(np.mean(np.sum((data - mean) ** 2, axis=1))))
    return PrincipalComponents(mean, np.ascontiguousarray(basis[:kept]), centred)
