"""Sums over blocks of samples: all that a sparse regression needs of its data.

With A = [Θ | y] and a block b of samples, the moments are M_b = A_bᵀ A_b, so that for any ξ

    ‖y_b − Θ_b ξ‖² = vᵀ M_b v,   v = (−ξ, 1).

Blocks are what is drawn again and what is left out; their moments add up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from mechlearn.errors import InputError

#: Rows whose products are summed at once.
_ROWS = 8192


@dataclass(frozen=True, eq=False)
class MomentBlocks:
    """The moments of every block, and how many samples it holds.

    Attributes
    ----------
    moments : (blocks, columns, columns)
        M_b; the last column is the target.
    samples : (blocks,)
        How many samples each block counts for.
    """

    moments: Float[np.ndarray, "blocks columns columns"]
    samples: Float[np.ndarray, " blocks"]

    @staticmethod
    def of_samples(
        columns: Float[np.ndarray, "samples terms"],
        target: Float[np.ndarray, " samples"],
        groups: Shaped[np.ndarray, " samples"] | None = None,
        blocks: int = 50,
    ) -> MomentBlocks:
        """Sum the products of columns over each group, or over consecutive blocks where no groups are given.

        Raises
        ------
        InputError
            If there are fewer samples than terms, or something is not finite.
        """
        samples, terms = columns.shape
        if samples < terms:
            raise InputError(
                f"fitting {terms} candidate terms: only {samples} samples; give more samples or fewer candidates"
            )
        block = _block_numbers(samples, groups, blocks)
        moments = np.zeros((int(block.max()) + 1, terms + 1, terms + 1))
        order = np.argsort(block, kind="stable")
        ends = np.searchsorted(block[order], np.arange(len(moments)), side="right")
        for number, rows in enumerate(np.split(order, ends[:-1])):
            for start in range(0, len(rows), _ROWS):
                chosen = rows[start : start + _ROWS]
                augmented = np.column_stack([columns[chosen], target[chosen]])
                moments[number] += augmented.T @ augmented
        if not np.isfinite(moments).all():
            raise InputError("fitting candidate terms: a column or the target is not finite; remove such samples")
        return MomentBlocks(moments, np.bincount(block, minlength=len(moments)).astype(float))

    @staticmethod
    def of_batches(
        batches: Iterable[tuple[Float[np.ndarray, "samples terms"], Float[np.ndarray, " samples"]]],
    ) -> MomentBlocks:
        """Sum the products of columns over each batch of a stream, which becomes a block."""
        moments, samples = [], []
        for columns, target in batches:
            augmented = np.column_stack([columns, target])
            moments.append(augmented.T @ augmented)
            samples.append(float(len(target)))
        return MomentBlocks(np.array(moments), np.array(samples))

    def weighted(self, weights: Float[np.ndarray, "draws blocks"]) -> Float[np.ndarray, "draws columns columns"]:
        """Σ_b w_b M_b for every row of weights: a resample, or what is left when a fold is taken out."""
        return np.einsum("rb,bij->rij", weights, self.moments, optimize=True)


def _block_numbers(
    samples: int, groups: Shaped[np.ndarray, " samples"] | None, blocks: int
) -> Int[np.ndarray, " samples"]:
    if groups is None:
        return np.arange(samples) * min(blocks, samples) // samples
    return np.unique(groups, return_inverse=True)[1]
