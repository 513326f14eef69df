"""Compiled walks down decision trees."""

from numba import njit


@njit(cache=True, nogil=True)
def add_trees(values, feature, threshold, left, right, leaf, roots, sums):
    """sums_i += Σ over the trees that begin at ``roots`` of the leaf that row i of ``values`` ends in.

    A row goes left where its feature is no larger than the threshold; a node whose ``left`` is negative is a leaf.
    """
    for row in range(values.shape[0]):
        for root in roots:
            node = root
            while left[node] >= 0:
                node = left[node] if values[row, feature[node]] <= threshold[node] else right[node]
            sums[row] += leaf[node]
