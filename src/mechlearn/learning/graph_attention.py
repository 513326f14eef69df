"""Graph attention networks: every layer, a node takes a weighted mean of its neighbours, and learns the weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch_geometric.nn import GATConv

from mechlearn.errors import InputError
from mechlearn.learning.graph_attention_kernels import attend, attend_backward
from mechlearn.learning.mish_kernels import mish as mish_kernel
from mechlearn.learning.mish_kernels import mish_backward


@dataclass(frozen=True)
class GraphAttentionShape:
    """How large a graph attention network is; the defaults are those that did best in Lee and Ryu (2022).

    Attributes
    ----------
    features : int
        Numbers that a node brings.
    layers, width, heads : int
        L layers of N heads with M channels each, side by side: a node has N·M numbers after each.
    dense : tuple of int
        Nodes of the fully connected layers after them, before the output.  The paper has some, and does not say how
        many.
    residual : bool
        Whether a node's own numbers also go past each layer of attention, through a matrix; the paper has no such way.
        Without it a node is one among its neighbours, and what it alone knows is averaged away.

    Raises
    ------
    InputError
        A number is below one.

    References
    ----------
    Veličković et al., arXiv:1710.10903 (2017); Lee and Ryu, Frontiers in Materials 9, 874339 (2022).
    """

    features: int
    layers: int = 4
    width: int = 15
    heads: int = 9
    dense: tuple[int, ...] = (64, 32)
    residual: bool = False

    def __post_init__(self) -> None:
        if min(self.features, self.layers, self.width, self.heads, *self.dense) < 1:
            raise InputError(f"a graph attention network: {self}; give numbers of 1 and more")


@dataclass(frozen=True, eq=False)
class AttentionGraph:
    """A graph whose edges are sorted by where they lead, each node linked to itself too.

    Attributes
    ----------
    pointers : (nodes + 1,)
        Node i is led to by ``sources[pointers[i]:pointers[i + 1]]``.
    sources : (edges,)
        Where the edges come from.
    """

    pointers: Int[np.ndarray, " nodes_and_one"]
    sources: Int[np.ndarray, " edges"]

    @classmethod
    def union(cls, nodes: Sequence[int], edges: Sequence[Int[np.ndarray, "2 _"]]) -> AttentionGraph:
        """Several graphs side by side, no edge between them.

        Parameters
        ----------
        nodes
            How many each has.
        edges
            From and to, of each.

        Examples
        --------
        >>> graph = AttentionGraph.union([2, 1], [np.array([[0, 1], [1, 0]]), np.zeros((2, 0), dtype=int)])
        >>> graph.pointers.tolist(), graph.sources.tolist()
        ([0, 2, 4, 5], [0, 1, 0, 1, 2])
        """
        starts = np.concatenate([[0], np.cumsum(nodes)])
        joined = np.concatenate([pairs + start for pairs, start in zip(edges, starts, strict=False)], axis=1)
        joined = joined[:, joined[0] != joined[1]]
        joined = np.concatenate([joined, np.tile(np.arange(starts[-1]), (2, 1))], axis=1)
        order = np.lexsort(joined)
        pointers = np.concatenate([[0], np.cumsum(np.bincount(joined[1], minlength=starts[-1]))])
        return cls(pointers, joined[0, order].astype(np.int32))

    @property
    def edges(self) -> Int[np.ndarray, "2 edges"]:
        """From and to, as torch_geometric takes them."""
        targets = np.repeat(np.arange(len(self.pointers) - 1), np.diff(self.pointers))
        return np.stack([self.sources.astype(np.int64), targets])


class AttentionLayer(GATConv):  # type: ignore[misc]  # torch_geometric tells mypy nothing
    """torch_geometric's GATConv, its weights and its numbers, with the sums over edges compiled (CPU alone).

    No message is kept for every edge and channel, so that a training step takes less than half the time.
    """

    def forward(self, inputs: torch.Tensor, graph: AttentionGraph) -> torch.Tensor:
        """From (nodes, inputs) to (nodes, heads · channels)."""
        weights = self.lin.weight.view(self.heads, self.out_channels, -1)
        # (W x)·a = x·(Wᵀ a): a product with a few columns in place of one with all channels.
        both = [(weights * vectors[0, :, :, None]).sum(dim=1) for vectors in (self.att_src, self.att_dst)]
        source_logits, target_logits = (inputs @ torch.cat(both).T).tensor_split(2, dim=1)
        values = self.lin(inputs).view(-1, self.heads, self.out_channels)
        logits = (source_logits.contiguous(), target_logits.contiguous())
        out = _Attention.apply(values, *logits, graph, self.negative_slope)  # type: ignore[no-untyped-call]
        out = out.view(-1, self.heads * self.out_channels) + self.bias
        return out if self.res is None else out + self.res(inputs)


class GraphAttentionNetwork(torch.nn.Module):
    """Layers of graph attention with Mish after each, then fully connected ones, and one number a node."""

    def __init__(self, shape: GraphAttentionShape) -> None:
        super().__init__()
        sizes = [shape.features, *[shape.heads * shape.width] * shape.layers]
        self.attention = torch.nn.ModuleList(
            AttentionLayer(inputs, shape.width, shape.heads, add_self_loops=False, residual=shape.residual)
            for inputs in sizes[:-1]
        )
        widths = [sizes[-1], *shape.dense, 1]
        self.dense = torch.nn.ModuleList(torch.nn.Linear(*pair) for pair in pairwise(widths))

    def forward(
        self, inputs: Float[torch.Tensor, "nodes features"], graph: AttentionGraph
    ) -> Float[torch.Tensor, " nodes"]:
        """The logarithm of the odds that a node is positive."""
        for layer in self.attention:
            inputs = mish(layer(inputs, graph))
        for layer in self.dense[:-1]:
            inputs = mish(layer(inputs))
        return self.dense[-1](inputs)[:, 0]


def graph_attention_module(
    shape: GraphAttentionShape, seed: int, dtype: torch.dtype = torch.float32, odds: float = 1.0
) -> GraphAttentionNetwork:
    """A network with weights drawn from a seed (Glorot's, as torch_geometric does).

    Parameters
    ----------
    shape
        How large it is.
    seed
        Of the weights.
    dtype
        Of the weights.
    odds
        Of a positive node, which the output starts from: without it, the first steps of a loss that is dominated by
        negative nodes do nothing but learn how rare the others are (Lin et al. 2017).

    Examples
    --------
    >>> network = graph_attention_module(GraphAttentionShape(19), seed=0)
    >>> sum(parameter.numel() for parameter in network.parameters())
    69677
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = GraphAttentionNetwork(shape)
    with torch.no_grad():
        torch.nn.init.constant_(network.dense[-1].bias, float(np.log(odds)))  # type: ignore[arg-type]
    # Drawn in one precision whatever comes after, so that a seed means one start.
    return network.to(dtype)


def focal_loss(
    logits: Float[torch.Tensor, " nodes"],
    positive: Float[torch.Tensor, " nodes"],
    weights: Float[torch.Tensor, " nodes"],
    focusing: float = 0.0,
) -> Float[torch.Tensor, ""]:
    """Mean over nodes of w (1 − p)^γ (−ln p), with p the probability of what is true; γ = 0 is the cross-entropy.

    Parameters
    ----------
    logits
        Logarithms of the odds that a node is positive.
    positive
        1 where it is, 0 where not.
    weights
        What each node counts.
    focusing
        γ: how much less a node counts that is right already.

    References
    ----------
    Lin et al., Focal loss for dense object detection, arXiv:1708.02002 (2017).

    Examples
    --------
    >>> one = torch.ones(1)
    >>> [round(focal_loss(0 * one, one, one, focusing).item(), 4) for focusing in (0.0, 2.0)]  # ln 2, a quarter of it
    [0.6931, 0.1733]
    """
    signed = (2.0 * positive - 1.0) * logits
    losses = -weights * torch.nn.functional.logsigmoid(signed)
    return (losses * torch.sigmoid(-signed) ** focusing if focusing else losses).mean()


def mish(inputs: torch.Tensor) -> torch.Tensor:
    """x tanh(ln(1 + exp x)); in single precision by a loop that takes a tenth of the time of torch's (CPU alone).

    References
    ----------
    Misra, arXiv:1908.08681 (2019).

    Examples
    --------
    >>> [round(number, 4) for number in mish(torch.tensor([-1.0, 0.0, 1.0])).tolist()]
    [-0.3034, 0.0, 0.8651]
    """
    if inputs.dtype != torch.float32:
        return torch.nn.functional.mish(inputs)
    return _Mish.apply(inputs.contiguous())  # type: ignore[no-untyped-call]


class _Mish(torch.autograd.Function):
    """The compiled loop as torch differentiates it."""

    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor) -> torch.Tensor:
        out = torch.empty_like(inputs)
        mish_kernel(*_arrays(inputs.view(-1), out.view(-1)))
        ctx.save_for_backward(inputs)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        (inputs,) = ctx.saved_tensors
        out = torch.empty_like(inputs)
        mish_backward(*_arrays(inputs.view(-1), gradients[0].contiguous().view(-1), out.view(-1)))
        return out


class _Attention(torch.autograd.Function):
    """The compiled sums as torch differentiates them."""

    @staticmethod
    def forward(
        ctx: Any,
        values: torch.Tensor,
        source_logits: torch.Tensor,
        target_logits: torch.Tensor,
        graph: AttentionGraph,
        slope: float,
    ) -> torch.Tensor:
        ctx.graph, ctx.slope = graph, values.detach().numpy().dtype.type(slope)
        attention = values.new_empty(len(graph.sources), values.shape[1])
        out = torch.empty_like(values)
        attend(*_arrays(values, source_logits, target_logits), *_edges(ctx), *_arrays(attention, out))
        ctx.save_for_backward(values, source_logits, target_logits, attention, out)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        *inputs, attention, out = ctx.saved_tensors
        found = [torch.zeros_like(tensor) for tensor in inputs]
        attend_backward(*_arrays(*inputs), *_edges(ctx), *_arrays(attention, out, gradients[0].contiguous(), *found))
        return (*found, None, None)


def _arrays(*tensors: torch.Tensor) -> list[np.ndarray]:
    """The same numbers as NumPy sees them."""
    return [tensor.detach().numpy() for tensor in tensors]


def _edges(ctx: Any) -> tuple[Any, ...]:
    """The graph, and the slope in the precision of the numbers, as both kernels take them."""
    return ctx.graph.pointers, ctx.graph.sources, ctx.slope
