"""The affine coordinates in which a latent law has the fewest terms.

An autoencoder finds coordinates up to a change z' = A z + b that its decoder undoes: Lorenz's law has seven terms in
his variables and up to thirty in others. The change is found here, from the latent trajectories alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from mechlearn.equations.latent.latent_library import LatentLibrary
from mechlearn.equations.search.elimination import eliminate

#: Random starts that are improved side by side, and their steps.
_STARTS, _STEPS, _RATE = 20, 250, 0.05

#: How many samples stand for all.
_POINTS = 200

#: The size of shares δ below which a term counts as absent falls from the first to the second.
_ROUGH, _SHARP = 0.3, 0.003

#: What a constant counts beside another term: of laws of as many terms the one at an equilibrium is preferred.
_CONSTANT = 1.2

#: Relative ridge of the least squares inside.
_RIDGE = 1e-8


@dataclass(frozen=True, eq=False)
class SparseCoordinates:
    """z' = A z + b, and the shares of the terms of the law there.

    Attributes
    ----------
    matrix : (dimension, dimension)
        A.
    offset : (dimension,)
        b.
    shares : (terms, dimension)
        The coefficient of every term times its root mean square, over that of the left-hand side; zero for terms
        that are not worth their price.
    """

    matrix: Float[np.ndarray, "dimension dimension"]
    offset: Float[np.ndarray, " dimension"]
    shares: Float[np.ndarray, "terms dimension"]


def sparsest_coordinates(
    derivatives: list[Float[np.ndarray, "samples dimension"]], library: LatentLibrary, *, floor: float, seed: int
) -> SparseCoordinates:
    """Find A and b for which z'⁽ⁿ⁾ = Θ(z') Ξ has the fewest terms.

    With the shares c_jk of the terms by least squares and the unexplained share m_k of every equation, minimise

        J(A, b) = Σ_jk w_j [(c_jk² + δ²)^¼ - δ^½] + ½ Σ_k ln(m_k + ε²)

    by Adam from many random A, b while δ falls, for libraries of rising degree. Where they end, terms are eliminated
    one by one; each that stays makes √(m + ε²) smaller by the factor e, and the law of least Σ w n + ½ ln(m + ε²) wins.

    Parameters
    ----------
    derivatives : order + 1 of (samples, dimension)
        z, ż and by order z̈.
    library
        Candidates. Without a sine the law's scale is free, and every z' has unit variance.
    floor
        ε, a relative error of the rates that does not matter.
    seed
        Of the starts and of the samples that are looked at.
    """
    rng = np.random.default_rng(seed)
    latent, dimension = derivatives[0], library.dimension
    mean = latent.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(latent.T).reshape(dimension, dimension))
    white = (vectors / np.sqrt(values)).T
    chosen = rng.permutation(len(latent))[:_POINTS]
    points = [torch.from_numpy(part[chosen] @ white.T) for part in (latent - mean, *derivatives[1:])]
    laws = {}
    for smaller in _libraries(library):
        laws[smaller] = _sparsest(points, smaller, floor, rng)
        if laws[smaller].price < dimension * (1 + np.log(floor)) + 1:
            break  # one exact term an equation would not be cheaper by a whole term
    smaller, best = min(laws.items(), key=lambda law: law[1].price)
    shares = np.zeros((len(library), dimension))
    shares[[library.names.index(name) for name in smaller.names]] = best.shares
    matrix = best.matrix @ white
    return SparseCoordinates(matrix, best.offset - matrix @ mean, shares)


def _libraries(library: LatentLibrary) -> list[LatentLibrary]:
    """Libraries of rising degree: where a law of low degree fits, higher terms are not told apart by the data."""
    sines = (False, True) if library.with_sine else (False,)
    return [
        replace(library, degree=degree, with_sine=with_sine)
        for degree in range(1, library.degree + 1)
        for with_sine in sines
    ]


@dataclass(frozen=True, eq=False)
class _Law:
    """The sparsest law of a library in coordinates A w + b, w white, and what it costs."""

    price: float
    matrix: Float[np.ndarray, "dimension dimension"]
    offset: Float[np.ndarray, " dimension"]
    shares: Float[np.ndarray, "terms dimension"]


def _sparsest(points: list[torch.Tensor], library: LatentLibrary, floor: float, rng: np.random.Generator) -> _Law:
    """The best of many starts."""
    matrices, offsets = _starts(library, rng)
    optimiser = torch.optim.Adam([matrices, offsets], lr=_RATE)
    for step in range(_STEPS):
        progress = step / _STEPS
        optimiser.param_groups[0]["lr"] = _RATE * (1 if progress < 0.7 else 0.2)
        optimiser.zero_grad()
        small = _ROUGH * (_SHARP / _ROUGH) ** min(1.0, progress / 0.8)
        price = _price(*_moments(points, _rows(matrices, library), offsets, library), floor, small)
        price.sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.no_grad():
        rows = _rows(matrices, library)
        normal, right = _moments(points, rows, offsets, library)
        shares, prices = _fewest(normal.numpy(), right.numpy(), floor)
        best = int(np.argmin(prices))
        return _Law(float(prices[best]), rows[best].numpy(), offsets[best].numpy(), shares[best])


def _fewest(
    normal: Float[np.ndarray, "starts terms terms"], right: Float[np.ndarray, "starts terms dimension"], floor: float
) -> tuple[Float[np.ndarray, "starts terms dimension"], Float[np.ndarray, " starts"]]:
    """Shares of the terms that are worth their price in every equation, one at least, and the price of all."""
    starts, terms, dimension = right.shape
    costs = np.ones(terms)
    costs[0] = _CONSTANT
    moments = np.ones((starts, dimension, terms + 1, terms + 1))
    moments[..., :-1, :-1] = normal[:, None]
    moments[..., :-1, -1] = moments[..., -1, :-1] = right.transpose(0, 2, 1)
    moments = moments.reshape(-1, terms + 1, terms + 1)
    paths = eliminate(moments, costs)
    prices = paths.supports @ costs + np.log(np.maximum(paths.squares(moments), 0.0) + floor**2) / 2
    step = np.argmin(prices[:, :-1], axis=1)  # the last step has no term left
    each = np.arange(len(step))
    shares = paths.coefficients[each, step].reshape(starts, dimension, terms).transpose(0, 2, 1)
    return shares, prices[each, step].reshape(starts, dimension).sum(axis=1)


def _starts(library: LatentLibrary, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Random rotations, stretched where the scale matters, and small offsets."""
    dimension = library.dimension
    rotations = np.linalg.qr(rng.normal(size=(_STARTS, dimension, dimension)))[0]
    scale = np.exp(rng.uniform(-1, 1, size=(_STARTS, 1, 1))) if library.with_sine else 1.0
    offsets = 0.3 * rng.normal(size=(_STARTS, dimension))
    return torch.from_numpy(rotations * scale).requires_grad_(), torch.from_numpy(offsets).requires_grad_()


def _rows(matrices: torch.Tensor, library: LatentLibrary) -> torch.Tensor:
    """A with rows of length one, so that every variable has unit variance; a sine has a scale of its own."""
    return matrices if library.with_sine else matrices / matrices.norm(dim=2, keepdim=True)


def _moments(
    points: list[torch.Tensor], matrices: torch.Tensor, offsets: torch.Tensor, library: LatentLibrary
) -> tuple[torch.Tensor, torch.Tensor]:
    """ΘᵀΘ and Θᵀz'⁽ⁿ⁾ for every A and b, with columns of unit mean square."""
    back = matrices.transpose(1, 2)
    latent, *rates = [part @ back for part in points]
    variables = torch.cat([latent + offsets[:, None], *rates[:-1]], 2).unbind(2)
    terms = torch.stack(library.columns(variables, torch.ones_like(variables[0]), torch.sin), 2)
    terms = terms / terms.square().mean(1, keepdim=True).sqrt()
    target = rates[-1] / rates[-1].square().mean(1, keepdim=True).sqrt()
    turned = terms.transpose(1, 2) / terms.shape[1]
    return turned @ terms, turned @ target


def _price(normal: torch.Tensor, right: torch.Tensor, floor: float, small: float) -> torch.Tensor:
    """J of every start."""
    shares = torch.linalg.solve(normal + _RIDGE * torch.eye(normal.shape[1], dtype=normal.dtype), right)
    misfits = (1 - (shares * right).sum(1)).clamp(min=0.0)
    each = torch.ones(shares.shape[1], 1, dtype=shares.dtype)
    each[0] = _CONSTANT
    present = (shares**2 + small**2) ** 0.25 - small**0.5
    return (each * present).sum((1, 2)) + torch.log(misfits + floor**2).sum(1) / 2
