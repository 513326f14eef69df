"""Candidates for the law of a few latent variables: monomials, and sines by option; for arrays and tensors alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from mechlearn.equations.equation import Term
from mechlearn.errors import InputError


@dataclass(frozen=True)
class LatentLibrary:
    """All monomials up to a degree in z, and in ż for a law of second order; the sine of each by option.

    Attributes
    ----------
    dimension
        How many latent variables, z1, z2, ….
    order
        The law gives the derivative of this order: ż = Θ(z) Ξ, or z̈ = Θ(z, ż) Ξ.
    degree
        Of the monomials, in all variables together.
    with_sine
        Whether sin z and, for the second order, sin ż are candidates.

    Raises
    ------
    InputError
        A value is out of range.

    Examples
    --------
    >>> LatentLibrary(1, order=2, degree=2, with_sine=True).names
    ('1', 'z1', 'z1_t', 'z1^2', 'z1 z1_t', 'z1_t^2', 'sin(z1)', 'sin(z1_t)')
    >>> LatentLibrary(2, degree=2).evaluate([np.array([[2.0, 3.0]])])
    array([[1., 2., 3., 4., 6., 9.]])
    """

    dimension: int
    order: int = 1
    degree: int = 3
    with_sine: bool = False

    def __post_init__(self) -> None:
        if self.dimension < 1 or self.degree < 1:
            raise InputError(
                f"candidates of a latent law: dimension is {self.dimension} and degree {self.degree}; give 1 or more"
            )
        if self.order not in (1, 2):
            raise InputError(f"candidates of a latent law: order is {self.order}; give 1 or 2")

    @property
    def products(self) -> tuple[tuple[int, ...], ...]:
        """The variables that each monomial multiplies, by number."""
        variables = range(self.dimension * self.order)
        return tuple(
            factors for degree in range(self.degree + 1) for factors in combinations_with_replacement(variables, degree)
        )

    @property
    def degrees(self) -> Int[np.ndarray, " terms"]:
        """Of every candidate; 1 of a sine."""
        return np.array([*map(len, self.products), *[1] * (len(self) - len(self.products))])

    @property
    def names(self) -> tuple[str, ...]:
        """The candidates as text."""
        return tuple(term.name for term in self.terms)

    @property
    def terms(self) -> tuple[Term, ...]:
        """The candidates."""
        names, latex = self._variables()
        monomials = [
            Term(_power_text(names, factors), _power_text(latex, factors, "^{{{}}}")) for factors in self.products
        ]
        sines = [Term(f"sin({name})", rf"\sin {symbol}") for name, symbol in zip(names, latex, strict=True)]
        return (*monomials, *(sines if self.with_sine else ()))

    @property
    def left_hand_sides(self) -> tuple[Term, ...]:
        """ż or z̈ of every latent variable."""
        dots, letters = {1: r"\dot", 2: r"\ddot"}[self.order], "t" * self.order
        return tuple(Term(f"z{k}_{letters}", rf"{dots} z_{{{k}}}") for k in range(1, self.dimension + 1))

    def __len__(self) -> int:
        return len(self.products) + self.with_sine * self.dimension * self.order

    def columns(self, variables: Sequence[Any], one: Any, sine: Callable[[Any], Any]) -> list[Any]:
        """Every candidate as a product of one made before and one variable: one multiplication a candidate.

        Parameters
        ----------
        variables : dimension·order of (samples,)
            z, then ż.
        one : (samples,)
            The first candidate.
        sine
            Of NumPy or of torch.
        """
        made: dict[tuple[int, ...], Any] = {(): one}
        for factors in self.products[1:]:
            last = variables[factors[-1]]
            made[factors] = made[factors[:-1]] * last if len(factors) > 1 else last
        return [*made.values(), *(map(sine, variables) if self.with_sine else ())]

    def evaluate(self, state: Sequence[Float[np.ndarray, "samples dimension"]]) -> Float[np.ndarray, "samples terms"]:
        """Θ of z, or of z and ż."""
        variables = list(np.concatenate(list(state), axis=1).T)
        return np.column_stack(self.columns(variables, np.ones_like(variables[0]), np.sin))

    def _variables(self) -> tuple[list[str], list[str]]:
        numbers = range(1, self.dimension + 1)
        names, latex = [f"z{k}" for k in numbers], [f"z_{{{k}}}" for k in numbers]
        if self.order == 2:
            names += [f"z{k}_t" for k in numbers]
            latex += [rf"\dot z_{{{k}}}" for k in numbers]
        return names, latex


def _power_text(symbols: Sequence[str], factors: Sequence[int], power: str = "^{}") -> str:
    """A product with equal factors gathered: ``z1^2 z3``."""
    powers = [(symbols[k], factors.count(k)) for k in sorted(set(factors))]
    return " ".join(symbol + (power.format(count) if count > 1 else "") for symbol, count in powers) or "1"
