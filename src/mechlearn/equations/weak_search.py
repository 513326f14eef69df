"""Search for the few terms whose residual is what noise explains.

For a set S of terms, the coefficients solve the normal equations without the noise's bias, with the covariance of their
own residual (three turns suffice), and the set's score is the likelihood of its residual with a price for every term,

    J(S) = rᵀ Σ⁻¹ r + ln |Σ| + |S| (ln n + 2 ln p),   r = y − Θξ,

with n rows and p candidates (extended Bayesian information criterion, Chen and Chen 2008): noise is known, so a set is
judged by what noise leaves over, not by the best that any set can do.  Sets grow from none by the few additions that
promise most; from the best, exchanges and removals are tried.

Σ is not exact, and a set may gain by terms that make the noise look smaller.  Hence two rules for the answer: it is
chosen among sets with rᵀΣ⁻¹r near n, and gives up every term that rᵀΣ⁻¹r alone does not pay for, at double price.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as member

import numpy as np
from jaxtyping import Float

from mechlearn.equations.weak_noise import NoisyTerms, Whitened

Terms = tuple[int, ...]

#: Coefficients that change less than this share have the covariance of their residual.
_SETTLED = 0.01


@dataclass(frozen=True, eq=False)
class Scored:
    """A set of terms, its coefficients and its score J.

    Attributes
    ----------
    terms : tuple of int
        S, sorted.
    v : (columns,)
        (−ξ, 1) over all candidates.
    score : float
        J.
    chi_square : float
        rᵀ Σ⁻¹ r/n: near 1 where noise explains the residual.
    """

    terms: Terms
    v: Float[np.ndarray, " columns"]
    score: float
    chi_square: float


@dataclass(frozen=True, eq=False)
class Search:
    """Scores sets, each once."""

    noisy: NoisyTerms
    largest: int = 8
    beam: int = 3
    turns: int = 3
    _seen: dict[Terms, Scored] = member(default_factory=dict, repr=False)
    _white: dict[Terms, Whitened] = member(default_factory=dict, repr=False)

    def run(self) -> Scored:
        """The best set found: grow, then exchange and remove until nothing is better."""
        level, stale = [self.score((), None)], 0
        for _ in range(min(self.largest, self.terms)):
            before = self._lowest()
            grown = {child: parent for parent in level for child in self.promising(parent, self._additions(parent))}
            level = sorted((self.score(s, p) for s, p in grown.items()), key=lambda scored: scored.score)[: self.beam]
            stale = 0 if self._lowest() < before else stale + 1
            if stale == 2 or not level:
                break
        best: Scored | None = None
        while best is not self.best():
            best = self.best()
            for terms in [*self._removals(best), *self.promising(best, self._exchanges(best))]:
                self.score(terms, best)
        return self._pruned(best)

    def _pruned(self, scored: Scored) -> Scored:
        """The set without what χ² does not pay for, whichever terms those are."""
        while scored.terms:
            smaller = min((self.score(terms, scored) for terms in self._removals(scored)), key=lambda s: s.chi_square)
            pairs = {pair for terms in self._removals(scored) for pair in self._removals(self.score(terms, scored))}
            pair = min((self.score(terms, scored) for terms in pairs), key=lambda s: s.chi_square, default=None)
            if self._pays(scored, smaller):
                scored = smaller
            elif pair is not None and self._pays(scored, pair):
                scored = pair
            else:
                break
        return scored

    def _pays(self, larger: Scored, smaller: Scored) -> bool:
        """Whether the terms that are given up were not worth their double price."""
        saved = 2 * self.price * (len(larger.terms) - len(smaller.terms))
        return self.rows * (smaller.chi_square - larger.chi_square) < saved

    @property
    def rows(self) -> int:
        """How many windows there are."""
        return len(self.noisy.columns)

    @property
    def price(self) -> float:
        """What a term costs, ln n + 2 ln p."""
        return float(np.log(self.rows) + 2 * np.log(max(self.terms, 1)))

    @property
    def terms(self) -> int:
        """How many candidates there are."""
        return self.noisy.columns.shape[1] - 1

    def best(self) -> Scored:
        """Of the sets seen whose χ² is not far above the least, or above its expectation."""
        least = max(1.0, min(scored.chi_square for scored in self._seen.values()))
        bound = least * (1 + 3 * np.sqrt(2 / self.rows))
        return min((s for s in self._seen.values() if s.chi_square <= bound), key=lambda scored: scored.score)

    def _lowest(self) -> float:
        return min(scored.score for scored in self._seen.values())

    def best_of_sizes(self) -> list[Scored]:
        """The best set seen of every size, largest first."""
        sizes: dict[int, Scored] = {}
        for scored in sorted(self._seen.values(), key=lambda scored: scored.score):
            sizes.setdefault(len(scored.terms), scored)
        return [sizes[size] for size in sorted(sizes, reverse=True)]

    def score(self, terms: Terms, near: Scored | None) -> Scored:
        """Solve for a set's coefficients, starting with the noise of another, and score it."""
        terms = tuple(sorted(terms))
        if terms in self._seen:
            return self._seen[terms]
        chosen = np.append(np.array(terms, dtype=int), self.terms)
        v = np.append(np.zeros(self.terms), 1.0) if near is None else near.v
        known = self._white.get(near.terms) if near else None
        for turn in range(self.turns if terms else 0):
            before = v
            white = known.part(chosen) if known and not turn else self.noisy.whiten(before, chosen)
            v = np.append(np.zeros(self.terms), 1.0)
            v[chosen[:-1]] = -_unbiased(white)
            if np.allclose(v, before, rtol=_SETTLED, atol=0.0):
                break
        square, log_determinant = self.noisy.residual(v)
        score = square + log_determinant + self.price * len(terms)
        self._seen[terms] = Scored(terms, v, score, square / self.rows)
        return self._seen[terms]

    def whitened(self, scored: Scored) -> Whitened:
        """All candidates, weighted by the noise of this set."""
        if scored.terms not in self._white:
            self._white[scored.terms] = self.noisy.whiten(scored.v)
        return self._white[scored.terms]

    def promising(self, near: Scored, sets: list[Terms]) -> list[Terms]:
        """The few of the sets that score best when the noise is weighted as for a set nearby."""
        if not sets:
            return []
        white = self.whitened(near)
        moments, rows = white.columns.T @ white.columns, len(white.columns)
        scores = []
        for terms in sets:
            chosen = np.ix_([*terms, self.terms], [*terms, self.terms])
            v = np.append(-_solve(moments[chosen], white.bias[chosen]), 1.0)
            noise = max(float(v @ white.bias[chosen] @ v), np.finfo(float).tiny)
            scores.append(rows * float(v @ moments[chosen] @ v) / noise + rows * np.log(noise / rows))
        return [sets[at] for at in np.argsort(scores)[: self.beam]]

    def _additions(self, scored: Scored) -> list[Terms]:
        return [tuple(sorted((*scored.terms, j))) for j in range(self.terms) if j not in scored.terms]

    def _removals(self, scored: Scored) -> list[Terms]:
        return [tuple(j for j in scored.terms if j != i) for i in scored.terms]

    def _exchanges(self, scored: Scored) -> list[Terms]:
        return [
            tuple(sorted((*(k for k in scored.terms if k != i), j)))
            for i in scored.terms
            for j in range(self.terms)
            if j not in scored.terms
        ]


def _unbiased(white: Whitened) -> Float[np.ndarray, " terms"]:
    return _solve(white.columns.T @ white.columns, white.bias)


def _solve(
    moments: Float[np.ndarray, "columns columns"], bias: Float[np.ndarray, "columns columns"]
) -> Float[np.ndarray, " terms"]:
    """ξ of (G − B)ξ = b − B_y; of a direction, nine tenths at most are taken for noise."""
    scale = np.sqrt(np.diag(moments))
    scaled, noise = moments / np.outer(scale, scale), bias / np.outer(scale, scale)
    terms = len(scale) - 1
    values, vectors = np.linalg.eigh(scaled[:terms, :terms])
    root = vectors / np.sqrt(np.maximum(values, 1e-12))
    shares, directions = np.linalg.eigh(root.T @ noise[:terms, :terms] @ root)
    basis = root @ directions
    kept = np.maximum(1 - shares, 0.1)
    return basis @ (basis.T @ (scaled[:terms, terms] - noise[:terms, terms]) / kept) * scale[terms] / scale[:terms]
