"""Compiled sums of graph attention: what each node takes from its neighbours, and the gradients of that.

Edges are sorted by the node they lead to: those to node i come from ``sources[pointers[i]:pointers[i + 1]]``.  A layer
of many heads would hold a message for every edge and channel if it were written in arrays; here none is kept.
"""

import numpy as np
from numba import njit

#: Sums over channels may be taken in any order, so that they are taken several at a time.
_FAST = {"contract", "reassoc", "nsz"}


@njit(cache=True, nogil=True, fastmath=_FAST)
def attend(values, source_logits, target_logits, pointers, sources, slope, attention, out):
    """out_i = Σ_j a_ij v_j with a_ij = softmax_j(z_ij), z_ij = leaky(s_j + t_i), for each head.

    ``values`` and ``out`` are (nodes, heads, channels), the logits s and t (nodes, heads), a (edges, heads).
    """
    nodes, heads, channels = values.shape
    one, zero = values.dtype.type(1), values.dtype.type(0)
    for i in range(nodes):
        first, last = pointers[i], pointers[i + 1]
        for head in range(heads):
            largest = values.dtype.type(-np.inf)
            for edge in range(first, last):
                z = source_logits[sources[edge], head] + target_logits[i, head]
                z = z if z > zero else slope * z
                attention[edge, head] = z
                largest = max(largest, z)
            total = zero
            for edge in range(first, last):
                attention[edge, head] = np.exp(attention[edge, head] - largest)
                total += attention[edge, head]
            share = one / total
            for edge in range(first, last):
                attention[edge, head] *= share
        row = out[i]
        row[:] = zero
        for edge in range(first, last):
            there = values[sources[edge]]
            for head in range(heads):
                a = attention[edge, head]
                for channel in range(channels):
                    row[head, channel] += a * there[head, channel]


@njit(cache=True, nogil=True, fastmath=_FAST)
def attend_backward(
    values,
    source_logits,
    target_logits,
    pointers,
    sources,
    slope,
    attention,
    out,
    gradient,
    of_values,
    of_source_logits,
    of_target_logits,
):
    """From g = ∂E/∂out to the gradients of v, s and t, added to the last three arguments.

    ∂E/∂v_j = Σ_i a_ij g_i and ∂E/∂z_ij = a_ij (g_i·v_j − g_i·out_i).
    """
    nodes, heads, channels = values.shape
    zero = values.dtype.type(0)
    mean = np.empty(heads, values.dtype)
    for i in range(nodes):
        g = gradient[i]
        for head in range(heads):
            mean[head] = zero
            for channel in range(channels):
                mean[head] += g[head, channel] * out[i, head, channel]
        for edge in range(pointers[i], pointers[i + 1]):
            j = sources[edge]
            there, back = values[j], of_values[j]
            for head in range(heads):
                a = attention[edge, head]
                product = zero
                for channel in range(channels):
                    product += g[head, channel] * there[head, channel]
                    back[head, channel] += a * g[head, channel]
                change = a * (product - mean[head])
                if source_logits[j, head] + target_logits[i, head] <= zero:
                    change *= slope
                of_source_logits[j, head] += change
                of_target_logits[i, head] += change
