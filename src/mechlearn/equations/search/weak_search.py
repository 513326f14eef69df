"""Search for the few terms whose residual is what noise explains.

For a set S of terms, the coefficients solve the normal equations without the noise's bias, with the covariance of their
own residual (three turns suffice), and the set's score is the likelihood of its residual with a price for every term,

    J(S) = rᵀ Σ⁻¹ r + ln |Σ| + |S| (ln n + 2 ln p),   r = y − Θξ,

with n rows and p candidates (extended Bayesian information criterion, Chen and Chen 2008): noise is known, so a set is
judged by what noise leaves over, not by the best that any set can do.  Sets grow from none by the few additions that
promise most; from the best, exchanges and removals are tried.

Σ is not exact, and a set may gain by terms that make the noise look smaller.  Hence two rules for the answer: it is
chosen among sets with rᵀΣ⁻¹r near n, and gives up every term that rᵀΣ⁻¹r alone does not pay for, at double price.

How firm is the answer?  Both sums run over rows, each given those before it.  Blocks of rows are drawn again, and every
draw chooses among all the sets that were seen, by the same rules; coefficients stay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as member

import numpy as np
from jaxtyping import Float

from mechlearn.equations.search.weak_noise import NoisyTerms, Whitened

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
    squares, log_variances : (rows,)
        What each row adds to rᵀ Σ⁻¹ r and to ln |Σ|.
    """

    terms: Terms
    v: Float[np.ndarray, " columns"]
    score: float
    squares: Float[np.ndarray, " rows"]
    log_variances: Float[np.ndarray, " rows"]

    @property
    def chi_square(self) -> float:
        """rᵀ Σ⁻¹ r/n: near 1 where noise explains the residual."""
        return float(self.squares.mean())


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
            for terms in [*self._removals(best.terms), *self.promising(best, self._exchanges(best))]:
                self.score(terms, best)
        return self._seen[self._pruned(best.terms, self._square)]

    def probabilities(self, weights: Float[np.ndarray, "draws rows"]) -> Float[np.ndarray, " terms"]:
        """The share of draws in which each term is in the answer, among the sets that were seen.

        Parameters
        ----------
        weights : (draws, rows)
            How often each row is drawn.
        """
        sets = list(self._seen.values())
        squares = weights @ np.array([scored.squares for scored in sets]).T
        scores = squares + weights @ np.array([scored.log_variances for scored in sets]).T
        scores += self.price * np.array([len(scored.terms) for scored in sets])
        counts = np.zeros(self.terms)
        for square, score in zip(squares, scores, strict=True):
            counts[list(self._drawn_answer(square, score))] += 1
        return counts / len(weights)

    def _drawn_answer(self, squares: Float[np.ndarray, " sets"], scores: Float[np.ndarray, " sets"]) -> Terms:
        """The answer among the sets that were seen, had rᵀ Σ⁻¹ r and J been these."""
        of_set = dict(zip(self._seen, squares.tolist(), strict=True))
        best = list(self._seen)[self._lowest_of(scores, squares)]
        return self._pruned(best, lambda terms, _: of_set.get(terms, np.inf))

    def _square(self, terms: Terms, near: Terms) -> float:
        return float(self.score(terms, self._seen[near]).squares.sum())

    def _pruned(self, terms: Terms, square: Callable[[Terms, Terms], float]) -> Terms:
        """The set without what rᵀ Σ⁻¹ r does not pay for, whichever one or two terms those are.

        ``square(terms, near)`` gives rᵀ Σ⁻¹ r of a set, near another in its noise; infinite where it is not known.
        """
        while terms:
            single = self._removals(terms)
            double = sorted({pair for smaller in single for pair in self._removals(smaller)})
            for smaller_sets in (single, double):
                smaller = min(smaller_sets, key=lambda s: square(s, terms), default=terms)
                given_up = len(terms) - len(smaller)
                if given_up and square(smaller, terms) - square(terms, terms) < 2 * self.price * given_up:
                    terms = smaller
                    break
            else:
                return terms
        return terms

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
        """Of the sets seen whose χ² is not far above the least, or above its expectation, that of the lowest score."""
        sets = list(self._seen.values())
        squares = np.array([scored.squares.sum() for scored in sets])
        return sets[self._lowest_of(np.array([scored.score for scored in sets]), squares)]

    def _lowest_of(self, scores: Float[np.ndarray, " sets"], squares: Float[np.ndarray, " sets"]) -> int:
        bound = max(self.rows, squares.min()) * (1 + 3 * np.sqrt(2 / self.rows))
        return int(np.argmin(np.where(squares <= bound, scores, np.inf)))

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
        squares, log_variances = self.noisy.residual(v)
        score = float(squares.sum() + log_variances.sum()) + self.price * len(terms)
        self._seen[terms] = Scored(terms, v, score, squares, log_variances)
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

    def _removals(self, terms: Terms) -> list[Terms]:
        return [tuple(j for j in terms if j != i) for i in terms]

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
