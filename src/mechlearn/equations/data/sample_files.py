"""Samples of tensor quantities from a file: a line a sample, a column a component."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Shaped

from mechlearn.equations.data.array_files import NamedArrays, read_arrays
from mechlearn.equations.symmetry.quantities import KINDS, Quantity
from mechlearn.errors import InputError


@dataclass(frozen=True, eq=False)
class Samples:
    """Quantities that were measured together.

    Attributes
    ----------
    values : mapping of Quantity to (samples, ...)
        Components, or full tensors where the file has these.
    blocks : (samples,) or None
        What belongs together: a specimen, a trajectory; the column ``block``.
    """

    values: Mapping[Quantity, Float[np.ndarray, "samples ..."]]
    blocks: Shaped[np.ndarray, " samples"] | None = None


def read_samples(path: str | Path, kinds: Mapping[str, str], units: Mapping[str, str] | None = None) -> Samples:
    """Read samples of quantities, each by its components: ``E_xx``, ``E_yy``, … of E, or one array of tensors E.

    Parameters
    ----------
    path
        A table or arrays, as ``read_arrays`` has it; by option with a column ``block``.
    kinds
        What every quantity is, by its name (see ``Quantity``).  They are of the plane where no component has a z.
    units
        By name of a quantity.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a component, or has a gap.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "samples.csv"
    >>> _ = path.write_text("v_x,v_y,T,block\\n0,1.5,290,a\\n1,2.5,291,b\\n")
    >>> samples = read_samples(path, {"v": "vector", "T": "scalar"})
    >>> for quantity, values in samples.values.items():
    ...     print(quantity.labels, values.tolist())
    ('v_x', 'v_y') [[0.0, 1.5], [1.0, 2.5]]
    ('T',) [[290.0], [291.0]]
    """
    arrays = read_arrays(path)
    dimension = _dimension(arrays, kinds)
    values = {}
    for name, kind in kinds.items():
        quantity = Quantity(name, kind, (units or {}).get(name), dimension)
        values[quantity] = _values(arrays, quantity)
    lengths = {quantity.name: len(array) for quantity, array in values.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise InputError(f"reading {path}: quantities with different numbers of samples ({said}); give as many of each")
    return Samples(values, arrays.values.get("block"))


def _dimension(arrays: NamedArrays, kinds: Mapping[str, str]) -> int:
    """3 unless every vector and tensor of the file does without z."""
    flat = []
    for name, kind in kinds.items():
        if not KINDS.get(kind):  # scalars live anywhere, and what is no kind is refused where it is declared
            continue
        if name in arrays.values:
            flat.append(arrays.values[name].shape[-1] == 2)
        else:
            flat.append(not any(label.startswith(f"{name}_") and "z" in label[len(name) :] for label in arrays.values))
    return 2 if flat and all(flat) else 3


def _values(arrays: NamedArrays, quantity: Quantity) -> Float[np.ndarray, "samples ..."]:
    if quantity.shape and quantity.name in arrays.values:
        return _complete(arrays, quantity.name)
    missing = [label for label in quantity.labels if label not in arrays.values]
    if missing:
        raise InputError(
            f"reading {arrays.path}: {quantity.name}, a {quantity.kind} in {quantity.dimension} dimensions, needs the "
            f"columns {', '.join(quantity.labels)}; there is no {', '.join(missing)} among {', '.join(arrays.values)}"
        )
    return np.column_stack([_complete(arrays, label) for label in quantity.labels])


def _complete(arrays: NamedArrays, name: str) -> Float[np.ndarray, "samples ..."]:
    values = arrays.numbers(name)
    gaps = np.argwhere(~np.isfinite(values))
    if len(gaps):
        sample = int(gaps[0][0])
        where = f"sample {sample}" if arrays.first_line is None else f"line {sample + arrays.first_line}"
        raise InputError(f"reading {arrays.path}, {where}: {name} is not finite; leave that sample out")
    return values
