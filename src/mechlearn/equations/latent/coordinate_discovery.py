"""What a search for coordinates finds: a map to few variables and back, their law, and how good both are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from mechlearn.equations.equation import Coefficient, Equation
from mechlearn.equations.latent.latent_law import law_matrix, simulate_law
from mechlearn.equations.latent.latent_library import LatentLibrary
from mechlearn.equations.latent.principal_components import PrincipalComponents
from mechlearn.equations.latent.smooth_network import SmoothNetwork
from mechlearn.equations.search.regression import SparseFit
from mechlearn.errors import InputError, WorkError
from mechlearn.learning import Epoch, History, load_arrays, save_arrays

_KIND, _FORMAT = "coordinates", 1


@dataclass(frozen=True, eq=False)
class CoordinateMap:
    """z = φ(y) of y = V (x - x̄)/s, and back x = x̄ + s Vᵀ ψ(z).

    Attributes
    ----------
    components
        The linear map between x and y.
    encoder, decoder
        φ and ψ.
    """

    components: PrincipalComponents
    encoder: SmoothNetwork
    decoder: SmoothNetwork

    def encode(
        self, derivatives: Sequence[Float[np.ndarray, "samples features"]]
    ) -> list[Float[np.ndarray, "samples dimension"]]:
        """z, and as many of its rates as are given of x."""
        return self.encoder(self.components.project(derivatives))

    def decode(
        self, derivatives: Sequence[Float[np.ndarray, "samples dimension"]]
    ) -> list[Float[np.ndarray, "samples features"]]:
        """x, and as many of its rates as are given of z."""
        value, *rates = self.decoder(derivatives)
        return [self.components.restore(value), *map(self.components.restore_rate, rates)]


@dataclass(frozen=True)
class CoordinateErrors:
    """The share that is not explained of the variance of x, and of the mean square of rates.

    Attributes
    ----------
    data
        Of x, by what is decoded of what was encoded.
    rate
        Of ẋ, or ẍ for a law of the second order, by the law through the decoder.
    latent_rate
        Of ż or z̈, which the encoder makes from the data, by the law.
    lost
        Of x, by the linear map before the networks; a part of ``data``.
    """

    data: float
    rate: float
    latent_rate: float
    lost: float

    @staticmethod
    def of(
        change: CoordinateMap,
        equations: Sequence[Equation],
        library: LatentLibrary,
        derivatives: Sequence[Float[np.ndarray, "samples features"]],
    ) -> CoordinateErrors:
        """Errors on samples of x and its rates."""
        order, data = library.order, derivatives[0]
        latent = change.encode(derivatives)
        predicted = library.evaluate(latent[:order]) @ law_matrix(equations, library)
        decoded = change.decode([*latent[:order], predicted])
        linear = change.components.restore(change.components.project([data])[0])
        spread = data - data.mean(axis=0)
        return CoordinateErrors(
            data=_unexplained(data - decoded[0], spread),
            rate=_unexplained(derivatives[order] - decoded[order], derivatives[order]),
            latent_rate=_unexplained(latent[order] - predicted, latent[order]),
            lost=_unexplained(data - linear, spread),
        )


@dataclass(frozen=True, eq=False)
class CoordinateDiscovery:
    """Coordinates, their law, and how well both explain trajectories that were held out.

    Attributes
    ----------
    equations : tuple of Equation
        ż or z̈ of every latent variable, with intervals and probabilities from trajectories drawn again.
    fits : tuple of SparseFit
        For every equation, over all candidates; empty where it was read from a file.
    map
        From the data to the coordinates and back.
    library
        The candidates.
    latent : (samples, dimension)
        z of all data.
    errors
        On the trajectories held out.
    held_out
        Their numbers.
    history
        The epochs of all stages of training.
    """

    equations: tuple[Equation, ...]
    fits: tuple[SparseFit, ...]
    map: CoordinateMap
    library: LatentLibrary
    latent: Float[np.ndarray, "samples dimension"]
    errors: CoordinateErrors
    held_out: tuple[int, ...]
    history: History

    def __str__(self) -> str:
        return "\n".join(str(equation) for equation in self.equations)

    @property
    def terms(self) -> int:
        """How many terms all equations have together."""
        return sum(len(equation.coefficients) for equation in self.equations)

    def encode(self, data: Float[np.ndarray, "samples features"]) -> Float[np.ndarray, "samples dimension"]:
        """z of x."""
        return self.map.encode([data])[0]

    def decode(self, latent: Float[np.ndarray, "samples dimension"]) -> Float[np.ndarray, "samples features"]:
        """x of z."""
        return self.map.decode([latent])[0]

    def forecast(
        self, start: Sequence[Float[np.ndarray, " features"]], times: Float[np.ndarray, " times"]
    ) -> Float[np.ndarray, "times features"]:
        """x at the times, from x (and ẋ, for the second order) at the first of them: encode, simulate, decode.

        Raises
        ------
        WorkError
            The law runs away.
        """
        latent = self.map.encode([np.asarray(part)[None] for part in start[: self.library.order]])
        matrix = law_matrix(self.equations, self.library)
        return self.decode(simulate_law(matrix, self.library, [part[0] for part in latent], times))

    def horizons(
        self,
        derivatives: Sequence[Float[np.ndarray, "samples features"]],
        trajectories: Int[np.ndarray, " samples"],
        times: Float[np.ndarray, " samples"],
        tolerance: float = 0.1,
    ) -> dict[int, float]:
        """For every trajectory, for how long its forecast is right.

        Parameters
        ----------
        derivatives : one or more of (samples, features)
            x and its rates.
        trajectories, times : (samples,)
            Number and time of every sample.
        tolerance
            A forecast is right while |x̂ - x| is below this share of the root mean square of x - x̄.
        """
        found = {}
        spread = np.sqrt(np.mean(np.sum((derivatives[0] - derivatives[0].mean(axis=0)) ** 2, axis=1)))
        for number in np.unique(trajectories).tolist():
            rows = np.flatnonzero(trajectories == number)
            try:
                forecast = self.forecast([part[rows[0]] for part in derivatives], times[rows])
            except WorkError:
                found[number] = 0.0
                continue
            wrong = np.flatnonzero(np.linalg.norm(forecast - derivatives[0][rows], axis=1) > tolerance * spread)
            last = rows[wrong[0]] if len(wrong) else rows[-1]
            found[number] = float(times[last] - times[rows[0]])
        return found

    def to_dict(self) -> dict[str, Any]:
        """A form for JSON: ``equations``, ``terms``, ``errors``, ``components``, ``held_out`` and ``epochs``."""
        return {
            "equations": [equation.to_dict() for equation in self.equations],
            "terms": self.terms,
            "errors": asdict(self.errors),
            "components": len(self.map.components.basis),
            "held_out": list(self.held_out),
            "epochs": len(self.history),
        }

    def save(self, path: str | Path) -> Path:
        """Write coordinates and law to one file that loads without executing anything (safetensors and JSON).

        Raises
        ------
        WorkError
            The file cannot be written.
        """
        components = self.map.components
        arrays = {
            "mean": components.mean,
            "basis": components.basis,
            "scale": np.array(components.scale),
            "latent": self.latent,
            "history": np.array([list(asdict(epoch).values()) for epoch in self.history.epochs]).reshape(-1, 4),
            **_network_arrays("encoder", self.map.encoder),
            **_network_arrays("decoder", self.map.decoder),
        }
        metadata = {
            "kind": _KIND,
            "format": _FORMAT,
            "library": asdict(self.library),
            "equations": [equation.to_dict() for equation in self.equations],
            "errors": asdict(self.errors),
            "held_out": list(self.held_out),
        }
        return save_arrays(path, arrays, metadata)


def load_coordinates(path: str | Path) -> CoordinateDiscovery:
    """Read what :meth:`CoordinateDiscovery.save` wrote; every number comes back bit for bit.

    Raises
    ------
    InputError
        There is no such file, it is cut short, or it holds something else.
    """
    arrays, metadata = load_arrays(path)
    if metadata.get("kind") != _KIND or metadata.get("format") != _FORMAT:
        raise InputError(f"reading coordinates: {path} holds none of this version; give a file that they were saved in")
    library = LatentLibrary(**metadata["library"])
    rows = arrays["history"].tolist()
    return CoordinateDiscovery(
        equations=tuple(_equation(record, library) for record in metadata["equations"]),
        fits=(),
        map=CoordinateMap(
            PrincipalComponents(arrays["mean"], arrays["basis"], float(arrays["scale"])),
            _network(arrays, "encoder"),
            _network(arrays, "decoder"),
        ),
        library=library,
        latent=arrays["latent"],
        errors=CoordinateErrors(**metadata["errors"]),
        held_out=tuple(metadata["held_out"]),
        history=History(tuple(Epoch(int(number), *rest) for number, *rest in rows)),
    )


def _equation(record: Mapping[str, Any], library: LatentLibrary) -> Equation:
    """An equation with the terms of the library, which know how they are written."""
    terms = {term.name: term for term in (*library.terms, *library.left_hand_sides)}
    read = Equation.from_dict(record)
    return Equation(
        terms[read.lhs.name],
        tuple(Coefficient(terms[c.term.name], c.value, c.low, c.high, c.probability) for c in read.coefficients),
    )


def _network_arrays(name: str, network: SmoothNetwork) -> dict[str, np.ndarray]:
    return {
        f"{name}.direct": network.direct,
        **{f"{name}.{layer}.weight": weight for layer, weight in enumerate(network.weights)},
        **{f"{name}.{layer}.bias": bias for layer, bias in enumerate(network.biases)},
    }


def _network(arrays: Mapping[str, np.ndarray], name: str) -> SmoothNetwork:
    layers = range(sum(key.startswith(f"{name}.") and key.endswith(".weight") for key in arrays))
    return SmoothNetwork(
        tuple(arrays[f"{name}.{layer}.weight"] for layer in layers),
        tuple(arrays[f"{name}.{layer}.bias"] for layer in layers),
        arrays[f"{name}.direct"],
    )


def _unexplained(error: Float[np.ndarray, "samples values"], whole: Float[np.ndarray, "samples values"]) -> float:
    return float(np.sum(error**2) / np.sum(whole**2))
