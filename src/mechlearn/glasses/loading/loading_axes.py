"""Axes that turn with a loading, so that features of tensors mean the same in any sense of shear."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mechlearn.errors import InputError

#: Principal strains closer than this share of the strain leave the axes undefined.
_APART = 1e-6

_FIRST, _SECOND = np.array([0, 1, 2, 1, 0, 0]), np.array([0, 1, 2, 2, 2, 1])

#: Lee and Ryu's order of components, 11, 22, 33, 12, 23, 31, in Voigt's.
_PAPER_ORDER = np.array([0, 1, 2, 5, 3, 4])


def loading_frame(gradient: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """The axes 1, 2, 3 of a loading, as rows.

    A simple shear L = γ s nᵀ with γ > 0 has 1 = s, along which atoms move, 2 = n, along which they move more and more,
    and 3 = s × n.  Any other L has the axes of the simple shear with the same plane of greatest shear: with e₁ and e₃
    the directions of the largest and the smallest principal strain, 1, 2 = (e₁ ± e₃)/√2, in the order that the rotation
    in L is nearer to.

    Half a turn about axis 3 leaves a simple shear as it is: L cannot tell 1, 2 from −1, −2.  What changes sign under
    that turn, the components 23 and 31 of a tensor, is known up to a sign common to all of them.

    Parameters
    ----------
    gradient
        L, r → (1 + γ L) r.

    Raises
    ------
    InputError
        Two principal strains are equal, as in a uniaxial tension: there is no plane of greatest shear.

    Examples
    --------
    >>> shear = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])  # −xy
    >>> (loading_frame(shear) + 0.0).round(12).tolist()
    [[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]]
    """
    gradient = np.asarray(gradient, dtype=np.float64)
    size = np.linalg.norm(gradient)
    if gradient.shape != (3, 3) or not (np.isfinite(size) and size > 0.0):
        raise InputError(f"loading: the velocity gradient is {gradient.tolist()}; give 3 × 3 numbers, not all zero")
    strains, axes = np.linalg.eigh(0.5 * (gradient + gradient.T))
    if np.diff(strains).min() < _APART * size:
        raise InputError(
            f"loading: its principal strains {strains.round(6).tolist()} are not three different numbers, so that no "
            "plane shears most; features of tensors are defined for shears alone"
        )
    sum_, difference = (axes[:, 2] + axes[:, 0]) / np.sqrt(2.0), (axes[:, 2] - axes[:, 0]) / np.sqrt(2.0)
    along, across = (
        (sum_, difference)
        if sum_ @ gradient @ difference >= difference @ gradient @ sum_
        else (
            difference,
            sum_,
        )
    )
    if across[np.argmax(np.abs(across).round(9))] < 0.0:
        along, across = -along, -across
    return np.stack([along, across, np.cross(along, across)])


def in_frame(tensors: Float[np.ndarray, "atoms 6"], frame: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "atoms 6"]:
    """Symmetric tensors in the axes of a loading: 11, 22, 33, 12, |23|, |31|.

    Parameters
    ----------
    tensors
        Voigt order xx, yy, zz, yz, xz, xy.
    frame
        Axes as rows.  The last two components are magnitudes, for the loading does not tell their sign
        (:func:`loading_frame`).
    """
    full = np.empty((len(tensors), 3, 3))
    full[:, _FIRST, _SECOND] = tensors
    full[:, _SECOND, _FIRST] = tensors
    turned = np.einsum("ab,ibc,dc->iad", frame, full, frame)[:, _FIRST, _SECOND][:, _PAPER_ORDER]
    turned[:, 4:] = np.abs(turned[:, 4:])
    return turned


def strain_of_loading(gradient: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, " 6"]:
    """The strain of a loading in Voigt's order with engineering shears; that of a simple shear is of size one."""
    unit = gradient / np.linalg.norm(gradient)
    strain = (unit + unit.T)[_FIRST, _SECOND]
    strain[:3] *= 0.5
    return strain
