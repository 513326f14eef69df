"""What the search for coordinates is told."""

from __future__ import annotations

from dataclasses import dataclass

from mechlearn.equations.latent.latent_library import LatentLibrary
from mechlearn.errors import InputError
from mechlearn.learning import TrainingSettings


@dataclass(frozen=True)
class LossWeights:
    """What the parts of the loss count, each relative to the mean square of what it predicts.

    L = ‖x - x̂‖²/‖x‖² + λ1 ‖x⁽ⁿ⁾ - x̂⁽ⁿ⁾‖²/‖x⁽ⁿ⁾‖² + λ2 ‖z⁽ⁿ⁾ - ΘΞ‖²/‖z⁽ⁿ⁾‖² + λ3 ⟨|c|⟩

    for a law of order n: x̂⁽ⁿ⁾ comes from the law through the decoder, z⁽ⁿ⁾ from the data through the encoder, and c
    are the shares of the terms, Ξ times the term's root mean square over that of z⁽ⁿ⁾.

    Attributes
    ----------
    rate, latent_rate, sparsity
        λ1, λ2, λ3 of Champion et al. (2019), who give them for data in their own units.
    """

    rate: float = 0.1
    latent_rate: float = 0.1
    sparsity: float = 1e-3


@dataclass(frozen=True)
class CoordinateSettings:
    """How many latent variables, what laws they may have, and how to train.

    Attributes
    ----------
    dimension
        Latent variables.
    order
        1 for ż = Θ(z) Ξ, 2 for z̈ = Θ(z, ż) Ξ.
    degree
        Of the monomials in Θ.
    with_sine
        Whether sines are among the candidates.
    first_degree
        Monomials above this degree wait until terms are chosen for the second time.
    widths
        Nodes of the encoder's layers; the decoder has them in reverse.
    weights
        Of the parts of the loss.
    training
        Step size, batches and precision; its ``epochs`` count the search without the refinement.
    refinement_epochs
        After them, with the terms fixed and without λ3.
    threshold
        A relative error of the law that does not matter when its terms are chosen: less than this no term is kept for.
    threshold_epochs
        How often the terms are chosen, in coordinates that are made sparse anew.
    landmarks
        Points that are laid out flat for a start where principal components do not hold the data, see
        :func:`~mechlearn.equations.latent.unfolding.unfold`; 0 starts from principal components whatever they hold.
    start_epochs
        For the networks to learn that start.
    lost_variance, components
        The share of the data's variance that the linear map before the networks may lose, and its outputs at most.
    held_out
        The share of trajectories that are kept from training, to judge.

    Raises
    ------
    InputError
        A value is out of range.

    Examples
    --------
    >>> CoordinateSettings(1, order=2, with_sine=True).library.left_hand_sides[0].name
    'z1_tt'
    """

    dimension: int
    order: int = 1
    degree: int = 3
    with_sine: bool = False
    first_degree: int = 2
    widths: tuple[int, ...] = (64, 32)
    weights: LossWeights = LossWeights()
    training: TrainingSettings = TrainingSettings(  # noqa: RUF009 - frozen
        epochs=600, batch_size=1024, learning_rate=3e-3, patience=15, threshold=0.01, precision="single"
    )
    refinement_epochs: int = 200
    threshold: float = 0.01
    threshold_epochs: int = 200
    landmarks: int = 500
    start_epochs: int = 200
    lost_variance: float = 1e-5
    components: int = 128
    held_out: float = 0.2

    def __post_init__(self) -> None:
        for name in ("refinement_epochs", "threshold_epochs", "start_epochs", "components"):
            if getattr(self, name) < 1:
                raise InputError(f"settings of coordinates: {name} is {getattr(self, name)}; give 1 or more")
        for name in ("threshold", "lost_variance", "held_out"):
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"settings of coordinates: {name} is {getattr(self, name)}; give 0 to 1, neither")
        if 0 < self.landmarks <= self.dimension + 1 or self.landmarks < 0:
            raise InputError(
                f"settings of coordinates: {self.landmarks} landmarks cannot be laid out in {self.dimension} "
                f"dimensions; give {self.dimension + 2} or more, or 0"
            )
        if not self.widths or min(self.widths) < 1:
            raise InputError(f"settings of coordinates: widths are {self.widths}; give one layer or more")
        _ = self.library

    @property
    def library(self) -> LatentLibrary:
        """The candidates of the law."""
        return LatentLibrary(self.dimension, self.order, self.degree, self.with_sine)
