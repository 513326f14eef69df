"""Fitted potentials in a folder, ``model.json`` and ``weights.safetensors``: loading executes nothing."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from mechlearn.errors import InputError
from mechlearn.interactions.potential import Potential
from mechlearn.learning import Perceptron, load_arrays, save_arrays
from mechlearn.records import write_atomically

FORMAT_VERSION: Final = 1
_MODEL, _WEIGHTS = "model.json", "weights.safetensors"

#: The dataclasses that a file may ask for, by the name they have there; nothing else is imported for one.
_PARTS: Final[dict[str, str]] = {
    "bispectrum": "mechlearn.descriptors.bispectrum:Bispectrum",
    "zbl": "mechlearn.interactions.zbl:Zbl",
}


@dataclass(frozen=True)
class Format:
    """How one kind of potential is stored.

    Attributes
    ----------
    kind
        Its name in the file.
    type_name
        ``"module:class"``; the module is imported when such a file is read, not before.
    pack
        Potential → (what JSON can hold, arrays).
    unpack
        The class, and what ``pack`` gave, with the ``provenance`` among the first → potential.
    """

    kind: str
    type_name: str
    pack: Callable[[Any], tuple[dict[str, Any], dict[str, np.ndarray]]]
    unpack: Callable[[Any, Mapping[str, Any], Mapping[str, np.ndarray]], Potential]


def save_potential(
    potential: Potential,
    folder: str | Path,
    *,
    provenance: Mapping[str, Any] | None = None,
    formats: Sequence[Format] | None = None,
) -> Path:
    """Save a potential in a folder, as ``model.json`` and ``weights.safetensors``.

    Parameters
    ----------
    potential
        A :class:`~mechlearn.potentials.snap.SnapPotential` or
        :class:`~mechlearn.potentials.network.NetworkPotential`.
    provenance
        How it was made, added to what the potential itself says of that; anything JSON can hold.
    formats
        Kinds of potential to know, :data:`FORMATS` if not given; add your own.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        There is no format for this potential, or for one of its parts.
    WorkError
        The folder cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> from mechlearn.descriptors import Bispectrum
    >>> from mechlearn.potentials.snap import SnapPotential
    >>> snap = SnapPotential(Bispectrum(("W",), twojmax=2), np.arange(6.0)[None])
    >>> folder = save_potential(snap, tempfile.mkdtemp())
    >>> load_potential(folder).coefficients
    array([[0., 1., 2., 3., 4., 5.]])
    """
    folder = Path(folder)
    chosen = _format_of(potential, FORMATS if formats is None else formats)
    settings, arrays = chosen.pack(potential)
    weights = save_arrays(folder / _WEIGHTS, arrays, {"kind": chosen.kind, "format": FORMAT_VERSION})
    model = {
        "format": FORMAT_VERSION,
        "kind": chosen.kind,
        "elements": list(potential.elements),
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "settings": settings,
        "provenance": {**getattr(potential, "provenance", {}), **(provenance or {})},
    }
    write_atomically(folder / _MODEL, (json.dumps(model, indent=2, allow_nan=False) + "\n").encode())
    return folder


def load_potential(folder: str | Path, *, formats: Sequence[Format] | None = None) -> Potential:
    """Read a potential that :func:`save_potential` wrote; every number comes back bit for bit.

    Raises
    ------
    InputError
        A file is missing, cut short, of a later version, of an unknown kind, or of another potential.
    """
    folder = Path(folder)
    model = _read_model(folder)
    known = {each.kind: each for each in (FORMATS if formats is None else formats)}
    if model["kind"] not in known:
        raise InputError(f"reading {folder / _MODEL}: the kind is {model['kind']!r}; known are {', '.join(known)}")
    arrays, _ = load_arrays(folder / _WEIGHTS)
    digest = hashlib.sha256((folder / _WEIGHTS).read_bytes()).hexdigest()
    if digest != model["weights_sha256"]:
        raise InputError(f"reading {folder}: {_WEIGHTS} is not the file that {_MODEL} was saved with; save it again")
    chosen = known[model["kind"]]
    try:
        return chosen.unpack(
            _load_class(chosen.type_name), {**model["settings"], "provenance": model["provenance"]}, arrays
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"reading {folder / _MODEL}: its settings do not make a potential ({error})") from error


def load_provenance(folder: str | Path) -> dict[str, Any]:
    """How a saved potential was made, as it was told when saved.

    Raises
    ------
    InputError
        The folder holds no potential.
    """
    return dict(_read_model(Path(folder))["provenance"])


# ---------------------------------------------------------------------- the two files


def _read_model(folder: Path) -> dict[str, Any]:
    path = folder / _MODEL
    if not path.is_file():
        raise InputError(f"reading a potential: {path} is not there; give the folder that a potential was saved in")
    try:
        model = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"reading {path}: it is cut short or no JSON ({error}); copy it again") from error
    required = {"format", "kind", "settings", "weights_sha256", "provenance"}
    if not isinstance(model, dict) or not required <= set(model):
        raise InputError(f"reading {path}: it describes no potential; give the folder that a potential was saved in")
    if model["format"] != FORMAT_VERSION:
        raise InputError(
            f"reading {path}: its format is version {model['format']}, this mechlearn reads "
            f"{FORMAT_VERSION}; use the version that wrote it"
        )
    return model


def _format_of(potential: Potential, formats: Sequence[Format]) -> Format:
    name = _type_name(type(potential))
    for candidate in formats:
        if candidate.type_name == name:
            return candidate
    raise InputError(
        f"saving a potential: there is no format for {type(potential).__name__}; "
        f"known are {', '.join(each.kind for each in formats)}"
    )


# ---------------------------------------------------------------------- parts: descriptors, references


def pack_part(part: Any) -> dict[str, Any] | None:
    """A descriptor or reference as JSON: its kind and the fields that it is compared by; None for None.

    Raises
    ------
    InputError
        Its class is none that a file may ask for.
    """
    if part is None:
        return None
    for kind, type_name in _PARTS.items():
        if type_name == _type_name(type(part)) and is_dataclass(part):
            return {
                "kind": kind,
                **{field.name: getattr(part, field.name) for field in fields(part) if field.init and field.compare},
            }
    raise InputError(f"saving a potential: a {type(part).__name__} cannot be saved; known are {', '.join(_PARTS)}")


def unpack_part(record: Mapping[str, Any] | None) -> Any:
    """What :func:`pack_part` packed.

    Raises
    ------
    InputError
        The kind is unknown, or a value makes no sense.
    """
    if record is None:
        return None
    if record.get("kind") not in _PARTS:
        raise InputError(f"reading a potential: unknown part {record.get('kind')!r}; known are {', '.join(_PARTS)}")
    values = {name: _tupled(value) for name, value in record.items() if name != "kind"}
    return _load_class(_PARTS[record["kind"]])(**values)


def _tupled(value: Any) -> Any:
    """JSON's lists as the tuples they were."""
    return tuple(_tupled(item) for item in value) if isinstance(value, list) else value


def _type_name(type_: type) -> str:
    return f"{type_.__module__}:{type_.__qualname__}"


def _load_class(type_name: str) -> Any:
    module, name = type_name.split(":")
    return getattr(importlib.import_module(module), name)


# ---------------------------------------------------------------------- the kinds


def _pack_snap(potential: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    settings = {
        "descriptor": pack_part(potential.descriptor),
        "reference": pack_part(potential.reference),
        "quadratic": potential.quadratic,
    }
    return settings, {"coefficients": potential.coefficients}


def _unpack_snap(cls: Any, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Potential:
    potential: Potential = cls(
        descriptor=unpack_part(settings["descriptor"]),
        coefficients=arrays["coefficients"],
        quadratic=settings["quadratic"],
        reference=unpack_part(settings["reference"]),
    )
    return potential


def _pack_network(potential: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    settings = {
        "descriptor": pack_part(potential.descriptor),
        "reference": pack_part(potential.reference),
        "widths": [list(perceptron.widths) for perceptron in potential.perceptrons],
        "activation": "softplus",
        "energy_scale": potential.energy_scale,
    }
    arrays = {name: getattr(potential, name) for name in ("mean", "spread", "energy_shift")}
    for index, perceptron in enumerate(potential.perceptrons):
        for layer, (weight, bias) in enumerate(zip(perceptron.weights, perceptron.biases, strict=True)):
            arrays[f"network.{index}.layer.{layer}.weight"] = weight
            arrays[f"network.{index}.layer.{layer}.bias"] = bias
    return settings, arrays


def _unpack_network(cls: Any, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Potential:
    if settings["activation"] != "softplus":
        raise InputError(f"reading a potential: unknown activation {settings['activation']!r}; known is softplus")

    def perceptron(index: int, layers: int) -> Perceptron:
        names = [f"network.{index}.layer.{layer}" for layer in range(layers)]
        return Perceptron(
            tuple(arrays[f"{name}.weight"] for name in names), tuple(arrays[f"{name}.bias"] for name in names)
        )

    potential: Potential = cls(
        descriptor=unpack_part(settings["descriptor"]),
        perceptrons=tuple(perceptron(index, len(widths) - 1) for index, widths in enumerate(settings["widths"])),
        mean=arrays["mean"],
        spread=arrays["spread"],
        energy_shift=arrays["energy_shift"],
        energy_scale=settings["energy_scale"],
        reference=unpack_part(settings["reference"]),
        provenance=settings["provenance"],
    )
    return potential


#: The kinds of potential that :func:`save_potential` and :func:`load_potential` know.
FORMATS: Final[tuple[Format, ...]] = (
    Format("snap", "mechlearn.potentials.snap:SnapPotential", _pack_snap, _unpack_snap),
    Format("network", "mechlearn.potentials.network:NetworkPotential", _pack_network, _unpack_network),
)
