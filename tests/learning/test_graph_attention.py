"""Graph attention: the compiled sums are torch_geometric's, graphs side by side do not see each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.nn import GATConv

from mechlearn.learning import Epoch, TrainingSettings
from mechlearn.learning.graph_attention import (
    AttentionGraph,
    GraphAttentionNetwork,
    GraphAttentionShape,
    focal_loss,
    graph_attention_module,
    mish,
)
from mechlearn.learning.training import train

#: Ours in single precision, and torch's in double.
MISHES = (mish, lambda inputs: torch.nn.functional.mish(inputs.double()).float())

SHAPE = GraphAttentionShape(features=5, layers=2, width=3, heads=4, dense=(6,))


def random_edges(nodes: int, links: int, seed: int = 0) -> np.ndarray:
    """Links both ways, some of them from a node to itself and some twice, as periodic cells have."""
    pairs = np.random.default_rng(seed).integers(0, nodes, (2, links))
    return np.concatenate([pairs, pairs[::-1]], axis=1)


def random_inputs(nodes: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(nodes, SHAPE.features)))


def network(residual: bool = False) -> GraphAttentionNetwork:
    return graph_attention_module(replace(SHAPE, residual=residual), 0, torch.float64)


@pytest.mark.parametrize("residual", [False, True])
def test_a_layer_and_its_gradients_are_those_of_torch_geometric(residual: bool) -> None:
    # The last node has no neighbour but itself.
    graph = AttentionGraph.union([20, 1], [random_edges(20, 30), np.zeros((2, 0), dtype=np.int64)])
    layer = network(residual).attention[0]
    inputs = random_inputs(21).requires_grad_()
    pull = torch.from_numpy(np.random.default_rng(1).normal(size=(21, SHAPE.heads * SHAPE.width)))

    def with_gradients(out: torch.Tensor) -> list[torch.Tensor]:
        return [out, *torch.autograd.grad((out * pull).sum(), [inputs, *layer.parameters()])]

    ours = with_gradients(layer(inputs, graph))
    theirs = with_gradients(GATConv.forward(layer, inputs, torch.from_numpy(graph.edges)))
    for own, oracle in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, oracle, rtol=1e-12, atol=1e-12)


def test_compiled_mish_and_its_gradient_are_those_of_torch() -> None:
    numbers = torch.cat([torch.linspace(-100.0, 100.0, 4001), torch.tensor([0.0, -1e-30, 1e20])])
    inputs, pull = numbers.requires_grad_(), torch.linspace(-1.0, 2.0, len(numbers))
    for own, oracle in zip(*([f(inputs), *torch.autograd.grad(f(inputs), inputs, pull)] for f in MISHES), strict=True):
        # The derivative goes through zero at -1.19 as a difference of numbers of order one.
        torch.testing.assert_close(own, oracle, rtol=1e-6, atol=5e-8)


def test_graphs_side_by_side_do_not_see_each_other() -> None:
    sizes, edges = (12, 9), (random_edges(12, 20), random_edges(9, 14, seed=1))
    inputs = [random_inputs(size, seed) for seed, size in enumerate(sizes)]
    module = network()
    together = module(torch.cat(inputs), AttentionGraph.union(sizes, edges))
    alone = [
        module(given, AttentionGraph.union([size], [own]))
        for given, size, own in zip(inputs, sizes, edges, strict=True)
    ]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-13, atol=1e-13)


def test_names_of_nodes_and_order_of_edges_do_not_matter() -> None:
    nodes, edges = 15, random_edges(15, 25)
    rng = np.random.default_rng(2)
    new = rng.permutation(nodes)
    inputs = random_inputs(nodes)
    renamed = torch.empty_like(inputs)
    renamed[new] = inputs
    shuffled = new[edges[:, rng.permutation(edges.shape[1])]]
    before = network()(inputs, AttentionGraph.union([nodes], [edges]))
    after = network()(renamed, AttentionGraph.union([nodes], [shuffled]))
    torch.testing.assert_close(after[new], before, rtol=1e-13, atol=1e-13)


def test_the_loss_without_focus_is_the_weighted_cross_entropy() -> None:
    rng = np.random.default_rng(0)
    logits, weights = torch.from_numpy(5 * rng.normal(size=40)), torch.from_numpy(rng.random(40))
    positive = torch.from_numpy((rng.random(40) < 0.3).astype(float))
    oracle = torch.nn.functional.binary_cross_entropy_with_logits(logits, positive, weights)
    torch.testing.assert_close(focal_loss(logits, positive, weights), oracle, rtol=1e-13, atol=0.0)
    p = torch.where(positive > 0, torch.sigmoid(logits), 1 - torch.sigmoid(logits))
    focused = (weights * (1 - p) ** 2 * -torch.log(p)).mean()
    torch.testing.assert_close(focal_loss(logits, positive, weights, 2.0), focused, rtol=1e-10, atol=0.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_stopped_training_goes_on_bit_for_bit(dtype: torch.dtype, tmp_path: Path) -> None:
    settings = TrainingSettings(epochs=8, learning_rate=0.01, checkpoint_seconds=0.0)
    batches = []
    for seed in range(3):
        graph = AttentionGraph.union([15, 10], [random_edges(15, 25, seed), random_edges(10, 15, seed)])
        batches.append((random_inputs(25, seed).to(dtype), graph, torch.arange(25).to(dtype) % 2))

    def loss(module: torch.nn.Module, batch: tuple[torch.Tensor, AttentionGraph, torch.Tensor]) -> torch.Tensor:
        return focal_loss(module(batch[0], batch[1]), batch[2], torch.ones_like(batch[2]))

    class StoppedError(Exception):
        pass

    def stop(epoch: Epoch) -> None:
        if epoch.number == 3:
            raise StoppedError

    undisturbed, first, second = (graph_attention_module(SHAPE, seed, dtype) for seed in (0, 0, 99))
    expected = train(undisturbed, loss, batches, [], settings, seed=1)
    with pytest.raises(StoppedError):
        train(first, loss, batches, [], settings, seed=1, checkpoint=tmp_path / "c", progress=stop)
    assert train(second, loss, batches, [], settings, seed=1, checkpoint=tmp_path / "c") == expected
    assert expected.training[-1] < expected.training[0]
    for name, weights in undisturbed.state_dict().items():
        assert torch.equal(weights, second.state_dict()[name])
