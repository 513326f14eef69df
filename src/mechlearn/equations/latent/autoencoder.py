"""An autoencoder with a law for its latent variables, and the loss that trains both (torch)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import sqrt

import torch
from jaxtyping import Float
from torch.nn.utils import skip_init

from mechlearn.equations.latent.coordinate_settings import LossWeights
from mechlearn.equations.latent.latent_library import LatentLibrary
from mechlearn.equations.latent.smooth_network import SmoothNetwork, propagate

#: Relative ridge of the least squares from which the coefficients of the law start.
_RIDGE = 1e-6


class SmoothLayers(torch.nn.Module):
    """The torch form of :class:`~mechlearn.equations.latent.smooth_network.SmoothNetwork`, at first a projection."""

    def __init__(self, widths: Sequence[int], generator: torch.Generator) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList(_layer(*pair, generator) for pair in pairwise(widths))
        self.direct = torch.nn.Parameter(torch.eye(widths[-1], widths[0], dtype=torch.float64))
        for parameter in self.layer(-1).parameters():
            torch.nn.init.zeros_(parameter)

    def layer(self, number: int) -> torch.nn.Linear:
        """One layer; the last is -1."""
        layer = self.layers[number]
        assert isinstance(layer, torch.nn.Linear)
        return layer

    def forward(self, derivatives: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """f(x) and as many derivatives in time as there are of x."""
        return propagate([(layer.weight, layer.bias) for layer in self.layers], self.direct, derivatives, torch.tanh)

    def network(self) -> SmoothNetwork:
        """The same in NumPy."""
        arrays = {name: tensor.detach().double().numpy().copy() for name, tensor in self.named_parameters()}
        numbers = range(len(self.layers))
        return SmoothNetwork(
            tuple(arrays[f"layers.{number}.weight"] for number in numbers),
            tuple(arrays[f"layers.{number}.bias"] for number in numbers),
            arrays["direct"],
        )


class Autoencoder(torch.nn.Module):
    """z = φ(g ∘ y), ŷ = ψ(z)/g and z⁽ⁿ⁾ = Θ Ξ, for inputs y of unequal size that a gain g makes equal.

    Ξ is held as shares c_jk, Ξ_jk = c_jk r_k/θ_j, with the root mean squares θ_j of the terms and r_k of z_k⁽ⁿ⁾: of
    order one whatever the units, so that one step size and one threshold fit all.
    """

    gain: torch.Tensor
    mask: torch.Tensor
    term_scale: torch.Tensor
    rate_scale: torch.Tensor

    def __init__(
        self, gain: torch.Tensor, widths: Sequence[int], library: LatentLibrary, generator: torch.Generator
    ) -> None:
        super().__init__()
        features, dimension, terms = len(gain), library.dimension, len(library)
        self.library = library
        self.encoder = SmoothLayers([features, *widths, dimension], generator)
        self.decoder = SmoothLayers([dimension, *widths[::-1], features], generator)
        self.shares = torch.nn.Parameter(torch.zeros(terms, dimension, dtype=torch.float64))
        self.register_buffer("gain", gain.double())
        for name, shape in (("mask", (terms, dimension)), ("term_scale", (terms,)), ("rate_scale", (dimension,))):
            self.register_buffer(name, torch.ones(shape, dtype=torch.float64))

    def encode(self, derivatives: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """z and its rates from y and its rates."""
        latent: list[torch.Tensor] = self.encoder([values * self.gain for values in derivatives])
        return latent

    def decode(self, derivatives: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """ŷ and its rates from z and its rates."""
        return [values / self.gain for values in self.decoder(derivatives)]

    def networks(self) -> tuple[SmoothNetwork, SmoothNetwork]:
        """Encoder and decoder in NumPy, with the gain in their outer layers."""
        encoder, decoder = self.encoder.network(), self.decoder.network()
        gain = self.gain.detach().double().numpy()
        return (
            replace(encoder, weights=(encoder.weights[0] * gain, *encoder.weights[1:]), direct=encoder.direct * gain),
            replace(
                decoder,
                weights=(*decoder.weights[:-1], decoder.weights[-1] / gain[:, None]),
                biases=(*decoder.biases[:-1], decoder.biases[-1] / gain),
                direct=decoder.direct / gain[:, None],
            ),
        )

    def candidates(self, state: Sequence[torch.Tensor]) -> torch.Tensor:
        """Θ of z, or of z and ż."""
        variables = list(torch.cat(list(state), 1).unbind(1))
        return torch.stack(self.library.columns(variables, torch.ones_like(variables[0]), torch.sin), 1)

    def law(self, state: Sequence[torch.Tensor]) -> torch.Tensor:
        """Θ Ξ of z, or of z and ż."""
        return self.candidates(state) @ (self.shares * self.mask * self.rate_scale / self.term_scale[:, None])


def _layer(inputs: int, outputs: int, generator: torch.Generator) -> torch.nn.Linear:
    layer = skip_init(torch.nn.Linear, inputs, outputs, dtype=torch.float64)  # type: ignore[no-untyped-call]
    bound = sqrt(6 / (inputs + outputs))
    torch.nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
    torch.nn.init.uniform_(layer.bias, -2, 2, generator=generator)
    return layer


def misfits(
    autoencoder: Autoencoder, batch: Float[torch.Tensor, "derivatives samples features"], squares: Sequence[float]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Relative squares of what is not explained of y, of y⁽ⁿ⁾ and of z⁽ⁿ⁾.

    Parameters
    ----------
    autoencoder
        φ, ψ and the law.
    batch : (order + 1, samples, features)
        y and its rates.
    squares : order + 1
        Their mean squares over all samples.
    """
    order = autoencoder.library.order
    latent = autoencoder.encode(list(batch))
    predicted = autoencoder.law(latent[:order])
    decoded = autoencoder.decode([*latent[:order], predicted])
    value, rate = (((decoded[n] - batch[n]) ** 2).sum(1).mean() / squares[n] for n in (0, order))
    return value, rate, (((latent[order] - predicted) / autoencoder.rate_scale) ** 2).mean()


def loss(
    autoencoder: Autoencoder,
    batch: Float[torch.Tensor, "derivatives samples features"],
    squares: Sequence[float],
    weights: LossWeights,
) -> torch.Tensor:
    """The loss of :class:`~mechlearn.equations.LossWeights`."""
    value, rate, latent_rate = misfits(autoencoder, batch, squares)
    total = value + weights.rate * rate + weights.latent_rate * latent_rate
    if weights.sparsity:
        total = total + weights.sparsity * (autoencoder.shares * autoencoder.mask).abs().mean()
    return total


def start_loss(
    autoencoder: Autoencoder,
    batch: tuple[Float[torch.Tensor, "derivatives landmarks features"], Float[torch.Tensor, "landmarks dimension"]],
    squares: Sequence[float],
    weights: LossWeights,
) -> torch.Tensor:
    """|z - place|² of landmarks, and what is not explained of y and of its rates back through the decoder."""
    landmarks, places = batch
    latent = autoencoder.encode(list(landmarks))
    value, *rates = (
        ((decoded - own) ** 2).sum(1).mean() / square
        for decoded, own, square in zip(autoencoder.decode(latent), landmarks, squares, strict=True)
    )
    return ((latent[0] - places) ** 2).sum(1).mean() + value + weights.rate * torch.stack(rates).sum()


@torch.no_grad()
def change_coordinates(
    autoencoder: Autoencoder,
    matrix: Float[torch.Tensor, "dimension dimension"],
    offset: Float[torch.Tensor, " dimension"],
) -> None:
    """z' = A z + b in place of z, for the encoder's last layer, and z = A⁻¹(z' - b) for the decoder's first."""
    encoder, decoder, shift = autoencoder.encoder, autoencoder.decoder, offset.to(autoencoder.gain.dtype)
    last, first, output = encoder.layer(-1), decoder.layer(0), decoder.layer(-1)
    for tensor in (last.weight, encoder.direct):
        tensor.copy_(matrix @ tensor.double())
    last.bias.copy_(matrix @ last.bias.double() + offset)
    back = torch.linalg.inv(matrix)
    for tensor, bias in ((first.weight, first.bias), (decoder.direct, output.bias)):
        tensor.copy_(tensor.double() @ back)
        bias.sub_(tensor @ shift)


@torch.no_grad()
def fit_law(
    autoencoder: Autoencoder,
    data: Float[torch.Tensor, "derivatives samples features"],
    kept: Float[torch.Tensor, "terms dimension"],
) -> None:
    """Set the terms that are kept, all scales, and the shares by least squares."""
    order = autoencoder.library.order
    latent = autoencoder.encode(list(data))
    terms, rates = autoencoder.candidates(latent[:order]).double(), latent[order].double()
    term_scale, rate_scale = (values.square().mean(0).sqrt() for values in (terms, rates))
    terms, rates = terms / term_scale, rates / rate_scale
    normal, right = terms.T @ terms / len(terms), terms.T @ rates / len(terms)
    shares = torch.zeros_like(right)
    for equation in range(right.shape[1]):
        inside = torch.nonzero(kept[:, equation])[:, 0]
        ridge = _RIDGE * torch.eye(len(inside), dtype=normal.dtype)
        shares[inside, equation] = torch.linalg.solve(normal[inside][:, inside] + ridge, right[inside, equation])
    autoencoder.mask.copy_(kept)
    autoencoder.term_scale.copy_(term_scale)
    autoencoder.rate_scale.copy_(rate_scale)
    autoencoder.shares.copy_(shares)
