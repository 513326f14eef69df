"""The stress and the slip of grains that undergo a given strain rate (Taylor's condition), many grains at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from mechlearn.crystals.slip import SlipSystems
from mechlearn.errors import InputError, WorkError

#: Relative residual of the Taylor condition at which the stress is found, and how many steps it may take.
RESIDUAL, ITERATIONS = 1e-10, 100


def _deviatoric_basis() -> Float[np.ndarray, "5 3 3"]:
    """An orthonormal basis of symmetric tensors without trace."""
    basis = np.zeros((5, 3, 3))
    basis[0] = np.diag([1.0, -1.0, 0.0]) / np.sqrt(2)
    basis[1] = np.diag([1.0, 1.0, -2.0]) / np.sqrt(6)
    for element, (i, j) in zip(basis[2:], ((0, 1), (0, 2), (1, 2)), strict=True):
        element[i, j] = element[j, i] = 1 / np.sqrt(2)
    return basis


#: The basis in which stresses and strain rates without trace are five numbers.
DEVIATORIC = _deviatoric_basis()


def taylor_slip(
    systems: SlipSystems,
    strain_rates: Float[np.ndarray, "grains 3 3"],
    strengths: Float[np.ndarray, "grains systems"],
    exponent: float,
    stress: Float[np.ndarray, "grains 5"] | None = None,
) -> tuple[Float[np.ndarray, "grains systems"], Float[np.ndarray, "grains 5"]]:
    """Find the slip rates that give each grain its strain rate.

    The stress is where the convex potential Σ_i g_i |τ_i/g_i|^{m+1}/(m+1) − S : D is lowest: Newton's method, a step
    halved until the potential falls.  The potential's first part grows as the stress to the power m+1, so that the best
    multiple of a stress is known beforehand.

    Parameters
    ----------
    systems
        The slip systems.
    strain_rates : (grains, 3, 3)
        Symmetric and without trace, in the crystal's axes.
    strengths : (grains, systems)
        MPa.
    exponent
        m.
    stress : (grains, 5)
        Where the search begins; the answer of the last step.

    Returns
    -------
    slip_rates : (grains, systems)
        With signs.
    stress : (grains, 5)
        In the basis of symmetric tensors without trace that is used here.

    Raises
    ------
    InputError
        The systems cannot carry every strain, as basal slip alone.
    WorkError
        The search does not end: twins may be able to carry a strain one way and not the other.

    Examples
    --------
    >>> from mechlearn.crystals import slip_systems
    >>> tension = np.diag([1.0, -0.5, -0.5])[None]
    >>> slip_rates, _ = taylor_slip(slip_systems("fcc"), tension, np.full((1, 12), 20.0), exponent=10.0)
    >>> round(float(np.abs(slip_rates).sum()), 2)
    2.45
    """
    schmid = np.einsum("sij,aij->sa", systems.schmid_tensors, DEVIATORIC)
    if np.linalg.matrix_rank(schmid) < len(DEVIATORIC):
        raise InputError(
            f"finding the stress of a grain: {systems.lattice}'s {', '.join(systems.families)} cannot carry every "
            "strain; add a family"
        )
    rates = np.einsum("gij,aij->ga", strain_rates, DEVIATORIC)
    law = _SlipLaw(schmid, strengths, exponent, systems.one_way)
    if stress is None:
        # The stress of a high exponent is near that of half of it; that of the lowest is near the strain rate's.
        stress = rates
        while law.exponent > 2:
            law = replace(law, exponent=law.exponent / 2)
        while law.exponent < exponent:
            stress = _balance(law, rates, stress)
            law = replace(law, exponent=law.exponent * 2)
    stress = _balance(law, rates, stress)
    return law.rates(stress), stress


def _balance(
    law: _SlipLaw, rates: Float[np.ndarray, "grains 5"], stress: Float[np.ndarray, "grains 5"]
) -> Float[np.ndarray, "grains 5"]:
    """Newton's method from a stress that may be far off."""
    for _ in range(ITERATIONS):
        stress = law.scaled(stress, rates)
        residual = rates - law.rates(stress) @ law.schmid
        if np.abs(residual).max() < RESIDUAL * np.abs(rates).max():
            return stress
        step = np.linalg.solve(law.stiffness(stress), residual[..., None])[..., 0]
        stress = law.descended(stress, step, rates)
    raise WorkError(
        f"finding the stress of a grain: no balance after {ITERATIONS} steps (residual {np.abs(residual).max():.1e}); "
        "take a lower exponent, or add families that carry the strain"
    )


@dataclass(frozen=True, eq=False)
class _SlipLaw:
    """γ̇ = |τ/g|^m sign τ of many grains, as functions of stress (grains, 5)."""

    schmid: Float[np.ndarray, "systems 5"]
    strengths: Float[np.ndarray, "grains systems"]
    exponent: float
    one_way: Bool[np.ndarray, " systems"]

    def ratios(self, stress: Float[np.ndarray, "grains 5"]) -> Float[np.ndarray, "grains systems"]:
        """τ/g, zero where a twin is loaded backwards."""
        ratios = stress @ self.schmid.T / self.strengths
        return np.where(self.one_way & (ratios < 0), 0.0, ratios)

    def rates(self, stress: Float[np.ndarray, "grains 5"]) -> Float[np.ndarray, "grains systems"]:
        ratios = self.ratios(stress)
        return np.abs(ratios) ** self.exponent * np.sign(ratios)

    def stiffness(self, stress: Float[np.ndarray, "grains 5"]) -> Float[np.ndarray, "grains 5 5"]:
        """∂(Σ γ̇ sym(b⊗n))/∂S, with a part in 10¹² of its trace added so that it can be inverted anywhere."""
        slopes = self.exponent * np.abs(self.ratios(stress)) ** (self.exponent - 1) / self.strengths
        matrix = np.einsum("gs,sa,sb->gab", slopes, self.schmid, self.schmid, optimize=True)
        return matrix + 1e-12 * np.trace(matrix, axis1=1, axis2=2)[:, None, None] * np.eye(5)

    def potential(
        self, stress: Float[np.ndarray, "grains 5"], rates: Float[np.ndarray, "grains 5"]
    ) -> Float[np.ndarray, " grains"]:
        power = np.sum(self.strengths * np.abs(self.ratios(stress)) ** (self.exponent + 1), axis=1)
        return power / (self.exponent + 1) - np.sum(stress * rates, axis=1)

    def scaled(
        self, stress: Float[np.ndarray, "grains 5"], rates: Float[np.ndarray, "grains 5"]
    ) -> Float[np.ndarray, "grains 5"]:
        """The multiple of each stress whose potential is lowest: α^m = S : D / Σ g |τ/g|^{m+1}."""
        # The largest ratio is brought to 1 first, so that no power overflows.
        stress = stress / np.abs(self.ratios(stress)).max(axis=1, keepdims=True)
        power = np.sum(self.strengths * np.abs(self.ratios(stress)) ** (self.exponent + 1), axis=1)
        work = np.sum(stress * rates, axis=1)
        return stress * (np.maximum(work, 0.0) / power)[:, None] ** (1 / self.exponent)

    def descended(
        self,
        stress: Float[np.ndarray, "grains 5"],
        step: Float[np.ndarray, "grains 5"],
        rates: Float[np.ndarray, "grains 5"],
    ) -> Float[np.ndarray, "grains 5"]:
        """Go along the step, halved in each grain until its potential falls (to rounding)."""
        start = self.potential(stress, rates)
        length = np.ones((len(stress), 1))
        for _ in range(30):
            with np.errstate(over="ignore"):  # a step too far is infinitely high
                risen = self.potential(stress + length * step, rates) > start + 1e-13 * np.abs(start)
            if not risen.any():
                break
            length[risen] *= 0.5
        return stress + length * step
