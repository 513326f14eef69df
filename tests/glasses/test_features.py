"""The 19 features and those of the mechanism: their parts, their symmetries, what they foretell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.data import atomic_masses
from scipy.spatial.transform import Rotation

from glass_specimens import SHEAR, copper_zirconium, metallic_specimen, model_glass, model_specimen
from mechlearn.descriptors.audit import audit_features
from mechlearn.errors import InputError
from mechlearn.glasses.description import modes as modes_module
from mechlearn.glasses.description.features import FeatureSettings, atomic_properties, node_features
from mechlearn.glasses.description.mechanism import mechanism_features, nonaffine_response
from mechlearn.glasses.description.modes import lowest_modes
from mechlearn.glasses.loading.loading_axes import in_frame, loading_frame
from mechlearn.glasses.loading.nonaffine import nonaffine_squares
from mechlearn.glasses.rest.minimisation import MinimisationSettings, minimise
from mechlearn.interactions import deformed, nonaffine_displacements, softenings, with_derivatives
from mechlearn.structures import StructureBatch


def test_nineteen_features_and_what_they_are() -> None:
    point = copper_zirconium().at(metallic_specimen())
    properties = atomic_properties(point)
    table = node_features(properties, SHEAR)
    assert table.values.shape == (metallic_specimen().atoms, 19)
    assert [feature.symbol for feature in table.features[7:]] == [
        *("C14", "C24", "C34", "C44", "|C54|", "|C64|"),
        *("σ11", "σ22", "σ33", "σ12", "|σ23|", "|σ31|"),
    ]
    # In the sense xy the loading's axes are those of the laboratory: 4 is xy, the last of Voigt's order.
    volumes = table.column("Voronoi volume")[:, None]
    stiffness, stress = point.atomic_stiffnesses[:, :, 5] / volumes, point.atomic_stresses / volumes
    paper_order = [0, 1, 2, 5, 3, 4]
    assert np.allclose(table.values[:, 7:11], stiffness[:, paper_order][:, :4])
    assert np.allclose(table.values[:, 11:13], np.abs(stiffness[:, [3, 4]]))
    assert np.allclose(table.values[:, 13:17], stress[:, paper_order][:, :4])
    assert volumes.sum() == pytest.approx(metallic_specimen().volumes[0])
    assert table.column("potential energy").sum() == pytest.approx(point.energy)
    # Shares of modes: one hundredth of three modes an atom.
    assert table.column("participation fraction").sum() == pytest.approx(round(0.03 * metallic_specimen().atoms))
    with pytest.raises(InputError, match="none is called 'softness'"):
        table.column("softness")


def test_the_other_sense_is_the_structure_turned_round() -> None:
    """−xy is xy seen after half a turn about y."""
    properties = atomic_properties(copper_zirconium().at(metallic_specimen()))
    half_turn = np.diag([-1.0, 1.0, -1.0])
    round_about = atomic_properties(copper_zirconium().at(deformed(metallic_specimen(), half_turn)))
    forth, back = node_features(properties, SHEAR), node_features(properties, -SHEAR)
    assert np.allclose(back.values, node_features(round_about, SHEAR).values, atol=1e-9)
    assert np.allclose(back.column("stress 12"), -forth.column("stress 12"))
    assert np.allclose(back.column("stiffness 12 by 12"), forth.column("stiffness 12 by 12"))


@pytest.mark.parametrize("seed", range(5))
def test_frame_turns_with_the_loading(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rotation = Rotation.random(random_state=seed).as_matrix()
    gradient = SHEAR if seed == 0 else rng.normal(size=(3, 3))
    tensors = rng.normal(size=(4, 6))
    first, second = np.array([0, 1, 2, 1, 0, 0]), np.array([0, 1, 2, 2, 2, 1])
    full = np.empty((4, 3, 3))
    full[:, first, second] = full[:, second, first] = tensors
    turned_tensors = (rotation @ full @ rotation.T)[:, first, second]
    here = in_frame(tensors, loading_frame(gradient))
    there = in_frame(turned_tensors, loading_frame(rotation @ gradient @ rotation.T))
    assert np.allclose(here, there)
    assert np.linalg.det(loading_frame(gradient)) == pytest.approx(1.0)


def test_modes_without_the_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    point = copper_zirconium().at(metallic_specimen())
    masses = atomic_masses[metallic_specimen().species]
    dense = lowest_modes(point, 12, masses)
    monkeypatch.setattr(modes_module, "_DENSE", 0)
    filtered = lowest_modes(point, 12, masses)
    assert np.allclose(filtered.curvatures, dense.curvatures, rtol=1e-8)
    assert np.allclose(filtered.participations, dense.participations, atol=1e-7)
    overlaps = np.einsum("kia,lia->kl", filtered.vectors, filtered.vectors)
    assert np.allclose(overlaps, np.eye(12), atol=1e-9)


def test_response_foretells_where_atoms_come_to_rest() -> None:
    """Minimised at ±γ, atoms are at γ u + ½ γ² w, and what is left falls as the third power of γ."""
    point = model_glass().at(model_specimen())
    response = nonaffine_response(model_glass(), point, SHEAR)
    left = []
    for strain in (2e-4, 1e-4):
        ends = []
        for sign in (1.0, -1.0):
            gradient = np.eye(3) + sign * strain * SHEAR
            minimum = minimise(
                model_glass(), deformed(model_specimen(), gradient), MinimisationSettings(largest_force=1e-11)
            )
            assert minimum.converged
            # Seen in the unstrained frame, in which u and w are measured.
            moves = minimum.point.structure.positions @ np.linalg.inv(gradient).T - model_specimen().positions
            ends.append(moves - moves.mean(axis=0))
        odd, even = 0.5 * (ends[0] - ends[1]) / strain, (ends[0] + ends[1]) / strain**2
        left.append(np.abs(odd - response.first).max() / np.abs(odd).max())
        assert np.abs(even - response.second).max() < 0.05 * np.abs(even).max()
    assert left[1] < 0.3 * left[0]
    assert left[1] < 0.01


def test_mechanism_tells_the_senses_apart() -> None:
    point = model_glass().at(model_specimen())
    modes = lowest_modes(point, 4)
    forth, back = (mechanism_features(model_glass(), point, sign * SHEAR, modes, cutoff=1.5) for sign in (1.0, -1.0))
    for name in ("non-affine displacement", "D²min of u", "D²min of w", "local shear modulus", "vibrality"):
        assert np.allclose(forth.column(name), back.column(name), rtol=1e-4), name
    growth = forth.column("growth of D²min")
    assert np.allclose(growth, -back.column("growth of D²min"), rtol=1e-4, atol=1e-4 * np.ptp(growth))
    # What softens one way stiffens the other: each way counts its own, and the difference is the sum over all modes.
    nonaffine = nonaffine_displacements(point, SHEAR[None])[:, :, 0]
    changes = softenings(model_glass(), point, modes.vectors, SHEAR, nonaffine)
    every = (-changes / modes.curvatures) @ np.square(modes.vectors).sum(axis=2)
    both = forth.column("softening") - back.column("softening")
    assert min(forth.column("softening").min(), back.column("softening").min()) >= 0.0
    assert np.allclose(both, every, rtol=1e-3, atol=1e-3 * np.abs(every).max())
    # The local moduli are shares of the shear modulus of all.
    whole = mechanism_features(model_glass(), point, SHEAR, cutoff=9.0).column("local shear modulus")
    step = 1e-5
    stresses = [
        minimise(
            model_glass(),
            deformed(model_specimen(), np.eye(3) + sign * step * SHEAR),
            MinimisationSettings(largest_force=1e-11),
        ).point.stress[5]
        for sign in (1.0, -1.0)
    ]
    assert whole.mean() == pytest.approx((stresses[0] - stresses[1]) / (2.0 * step), rel=0.01)


def test_audit_of_the_nineteen() -> None:
    """Symmetric with the loading turned along; what sums over a share of all modes depends on the size."""

    def features(structure: StructureBatch, gradient: np.ndarray) -> np.ndarray:
        return node_features(atomic_properties(copper_zirconium().at(structure)), gradient).values

    names = node_features(atomic_properties(copper_zirconium().at(metallic_specimen(repeats=2))), SHEAR).names
    audit = audit_features(features, metallic_specimen(repeats=2), SHEAR, rng=np.random.default_rng(1), names=names)
    assert audit.verdicts["symmetry"]
    assert audit.failing("doubled") == ("participation fraction",)


def test_mechanism_in_a_turned_and_in_a_larger_system() -> None:
    """Without sums over modes its features are the same in a system of any size, turned with its loading."""
    structure = model_specimen(repeats=3)
    rotation = Rotation.random(random_state=3).as_matrix()
    cells = structure.cells * np.array([2.0, 1.0, 1.0])[:, None]
    twice = StructureBatch.from_arrays(
        np.concatenate([structure.positions, structure.positions + structure.cells[0, 0]]),
        cells,
        np.tile(structure.species, 2),
        [2 * structure.atoms],
    )
    here, doubled, turned = (
        mechanism_features(model_glass(), model_glass().at(system), gradient, cutoff=1.8).values
        for system, gradient in (
            (structure, SHEAR),
            (twice, SHEAR),
            (deformed(structure, rotation), rotation @ SHEAR @ rotation.T),
        )
    )
    scale = here.std(axis=0)
    assert np.allclose(doubled / scale, np.tile(here, (2, 1)) / scale, atol=1e-4)
    assert np.allclose(turned / scale, here / scale, atol=1e-4)


def test_a_smooth_d2min_does_not_jump() -> None:
    """As an atom crosses the cutoff of another."""
    structure, cutoff = model_specimen(), 1.8
    distances = np.linalg.norm(structure.positions - structure.positions[0], axis=1)
    crossing = int(np.argmin(np.abs(distances - cutoff)))
    outward = (structure.positions[crossing] - structure.positions[0]) / distances[crossing]
    field = np.random.default_rng(1).normal(size=structure.positions.shape)
    changes = {}
    for smooth in (True, False):
        values = []
        for side in (-1e-5, 1e-5):
            positions = structure.positions.copy()
            positions[crossing] += (cutoff - distances[crossing] + side) * outward
            moved = replace(structure, positions=positions)
            values.append(nonaffine_squares(moved, field, cutoff, smooth=smooth)[0])
        changes[smooth] = abs(values[1] - values[0]) / values[0]
    assert changes[True] < 1e-6
    assert changes[False] > 1e-3


def test_refusals() -> None:
    tension = np.diag([1.0, -0.5, -0.5])
    with pytest.raises(InputError, match="no plane shears most"):
        loading_frame(tension)
    point = copper_zirconium().at(metallic_specimen())
    with pytest.raises(InputError, match="which is no element"):
        atomic_properties(point, settings=FeatureSettings(centre="Copper"))
    with pytest.raises(InputError, match="name them all"):
        atomic_properties(point, elements=("Cu",))
    plain = with_derivatives(_WithoutShares())
    with pytest.raises(InputError, match="gives no stress and stiffness of single atoms"):
        atomic_properties(plain.at(replace(metallic_specimen())))


class _WithoutShares:
    """A potential as a network may be: energies, forces and stresses."""

    elements = ("Cu", "Zr")

    def evaluate(self, batch: StructureBatch) -> object:
        return copper_zirconium().evaluate(batch)
