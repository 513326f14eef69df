"""Fields whose law and spatial symmetry are known: random waves on periodic planes and boxes, followed in time.

What materials do: diffusion and its anisotropy, separation of phases, surfaces of crystals, elastic and odd media.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from jaxtyping import Float

from mechlearn.equations.data.fields import Field
from mechlearn.equations.equation import Equation
from mechlearn.equations.motion.simulation import SimulationSettings, simulate
from mechlearn.equations.symmetry.field_library import FieldQuantities
from mechlearn.equations.symmetry.groups import symmetry_group
from mechlearn.equations.symmetry.quantities import Quantity
from mechlearn.errors import InputError

#: Far below any noise that is laid over these fields.
_SETTINGS = SimulationSettings(boundary="periodic", tolerance=1e-6, noise=0.0)


@dataclass(frozen=True)
class ExamplePde:
    """A law with its symmetry, and the run that shows it.

    Attributes
    ----------
    quantity : Quantity
        What the fields are.
    group : str
        The largest group of the law.
    law : mapping of str to float
        Coefficients of the terms of that group's library.
    degree, derivative_order : int
        Of the candidates.
    duration : float
        Of the run.
    waves : float
        The field starts from waves up to this wave number, the period being 2π.
    amplitude : float
        Deviation of the field at the start.
    points : int
        Of the grid, along every axis.
    times : int
        How many times are kept.
    """

    quantity: Quantity
    group: str
    law: Mapping[str, float]
    degree: int
    derivative_order: int
    duration: float
    waves: float = 6.0
    amplitude: float = 1.0
    points: int = 64
    times: int = 48


_U, _V = Quantity("u", "scalar", dimension=2), Quantity("v", "vector", dimension=2)

#: By name.
EXAMPLE_PDES: Final[Mapping[str, ExamplePde]] = MappingProxyType(
    {
        "diffusion": ExamplePde(_U, "isotropic", {"Δu": 0.1}, 2, 4, duration=1.0),
        "phase separation": ExamplePde(
            _U, "isotropic", {"Δu": -1.0, "Δ(u³)": 1.0, "Δ²u": -0.02}, 3, 4, duration=0.25, amplitude=0.5
        ),
        "crystal surface": ExamplePde(_U, "square", {"Δu": 0.05, "(u_xxxx + u_yyyy)": -0.004}, 2, 4, duration=1.0),
        "orthotropic diffusion": ExamplePde(_U, "orthotropic", {"u_xx": 0.1, "u_yy": 0.13}, 2, 4, duration=1.0),
        "drift": ExamplePde(_U, "none", {"u_x": -0.5, "u_xx": 0.1, "u_yy": 0.1}, 2, 2, duration=1.0),
        "elastic medium": ExamplePde(_V, "isotropic", {"Δv": 0.06, "∇(∇·v)": 0.08}, 2, 2, duration=1.0),
        "momentum": ExamplePde(_V, "isotropic", {"Δv": 0.08, "∇·(v ⊗ v)": -0.4}, 2, 2, duration=1.0, waves=4.0),
        "elastic crystal": ExamplePde(
            _V, "square", {"Δv": 0.06, "∇(∇·v)": 0.08, "(vx_xx e_x + vy_yy e_y)": 0.05}, 2, 2, duration=1.0
        ),
        "odd medium": ExamplePde(_V, "rotations", {"Δv": 0.08, "Δ(J v)": 0.04}, 2, 2, duration=1.0),
        "cubic crystal": ExamplePde(
            Quantity("u", "scalar"),
            "cubic",
            {"Δu": 0.05, "(u_xxxx + u_yyyy + u_zzzz)": -0.006},
            1,
            4,
            duration=1.0,
            waves=5.0,
            points=32,
            times=32,
        ),
    }
)


def example_pde_field(name: str, rng: np.random.Generator, noise: float = 0.05) -> Field:
    """Follow random waves by the law of that name, and add noise.

    Parameters
    ----------
    name
        In ``EXAMPLE_PDES``.
    rng
        The source of random numbers.
    noise
        Its standard deviation, over that of the field.

    Raises
    ------
    InputError
        If there is no law of that name.

    Examples
    --------
    >>> field = example_pde_field("elastic medium", np.random.default_rng(0))
    >>> field.names, field.values["vx"].shape
    (('vx', 'vy'), (64, 64, 48))
    """
    example = _example(name)
    space = "xyz"[: example.quantity.dimension]
    x = np.linspace(0, 2 * np.pi, example.points, endpoint=False)
    times = np.linspace(0, example.duration, example.times)
    components = [label.replace("_", "") for label in example.quantity.labels]
    values = {one: example.amplitude * _waves(example, rng)[..., None] for one in components}
    start = Field(values, dict.fromkeys(space, x) | {"t": times[:1]})
    field = simulate(example_pde_equations(name), start, times, _SETTINGS)
    noisy = {one: clean + noise * clean.std() * rng.normal(size=clean.shape) for one, clean in field.values.items()}
    return Field(noisy, field.coordinates)


def example_pde_equations(name: str) -> tuple[Equation, ...]:
    """The equations of the fields of that law.

    Raises
    ------
    InputError
        If there is no law of that name.

    Examples
    --------
    >>> print(*example_pde_equations("odd medium"), sep="\\n")
    vx_t = 0.08 vx_xx - 0.04 vy_xx + 0.08 vx_yy - 0.04 vy_yy
    vy_t = 0.04 vx_xx + 0.08 vy_xx + 0.04 vx_yy + 0.08 vy_yy
    """
    example = _example(name)
    axes = [*"xyz"[: example.quantity.dimension], "t"]
    labels = [label.replace("_", "") for label in example.quantity.labels]
    grid = np.arange(2.0 ** len(axes)).reshape((2,) * len(axes))
    field = Field(dict.fromkeys(labels, grid), {axis: np.arange(2.0) for axis in axes})
    declared = FieldQuantities.declared(field, [example.quantity], example.degree, example.derivative_order)
    library = declared.library(symmetry_group(example.group, example.quantity.dimension))
    law = np.array([example.law.get(term.term.name, 0.0) for term in library.terms])
    if np.count_nonzero(law) != len(example.law):
        names = ", ".join(term.term.name for term in library.terms)
        raise InputError(f"the law {name!r}: {', '.join(example.law)} are not all among the terms {names}")
    return declared.equations(np.tensordot(law, library.coefficients(), axes=1))


def _example(name: str) -> ExamplePde:
    if name not in EXAMPLE_PDES:
        raise InputError(f"making fields: there is no law {name!r}; known: {', '.join(EXAMPLE_PDES)}")
    return EXAMPLE_PDES[name]


def _waves(example: ExamplePde, rng: np.random.Generator) -> Float[np.ndarray, "*space"]:
    """Waves of all directions, of random amplitude and phase, with unit deviation and no mean."""
    dimension = example.quantity.dimension
    counts = np.fft.fftfreq(example.points, 1 / example.points)
    numbers = np.sqrt(sum(axis**2 for axis in np.meshgrid(*[counts] * dimension, indexing="ij")))
    spectrum = np.fft.fftn(rng.normal(size=numbers.shape)) * ((numbers > 0) & (numbers <= example.waves))
    values = np.fft.ifftn(spectrum).real
    return np.asarray(values / values.std())
