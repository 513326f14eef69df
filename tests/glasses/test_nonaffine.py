"""D²min and local strain: other codes' numbers by name, and the laws of the fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk

from mechlearn.engines import lammps_cell, lammps_session
from mechlearn.errors import InputError
from mechlearn.glasses.loading.nonaffine import CONVENTIONS, local_deformation, nonaffine_squares
from mechlearn.interactions import deformed
from mechlearn.structures import StructureBatch

CUTOFF = 3.6
STRAIN = np.eye(3) + np.array([[0.01, 0.08, -0.03], [0.0, -0.02, 0.05], [0.02, 0.0, 0.015]])


def wrapped(structure: StructureBatch) -> StructureBatch:
    """All atoms brought into the cell, as in the files that simulations write."""
    places = structure.positions @ np.linalg.inv(structure.cells[0])
    return replace(structure, positions=(places - np.floor(places)) @ structure.cells[0])


def two_configurations(seed: int = 5, repeats: int = 3) -> tuple[StructureBatch, StructureBatch]:
    """A disordered structure in a sheared cell, and the same strained and rattled."""
    rng = np.random.default_rng(seed)
    crystal = StructureBatch.from_atoms([bulk("Cu", a=3.9, cubic=True) * (repeats, repeats, repeats)])
    reference = deformed(crystal, np.eye(3) + rng.uniform(-0.2, 0.2, (3, 3)))
    reference = replace(reference, positions=reference.positions + rng.normal(0.0, 0.3, reference.positions.shape))
    current = deformed(reference, STRAIN)
    return reference, replace(current, positions=current.positions + rng.normal(0.0, 0.1, current.positions.shape))


@pytest.mark.parametrize(
    ("convention", "frozen"),
    [
        # OVITO 3.17.2, AtomicStrainModifier.
        ("ovito", [0.97998172901, 1.05804691131, 1.28353791529, 1.12375623704, 0.735838286101, 1.00363102458]),
        # matscipy 1.3.1, atomic_strain.
        ("matscipy", [0.97998172901, 1.11393795301, 1.23114227378, 1.06468774232, 0.756550757655, 1.0944750365]),
        # pyscal3 4.1.0, descriptors.d2min.
        (
            "pyscal3",
            [0.0576459840594, 0.0655036987919, 0.0724201337518, 0.0626286907248, 0.0459898928813, 0.0590236835684],
        ),
    ],
)
def test_frozen_numbers_of_other_codes(convention: str, frozen: list[float]) -> None:
    reference, current = two_configurations()
    found = local_deformation(reference, wrapped(current), CUTOFF, convention)
    assert np.allclose(found.d2min[:6], frozen, rtol=1e-9, atol=0.0)


def test_equals_ovito() -> None:
    modifiers = pytest.importorskip("ovito.modifiers", reason="OVITO is not installed: pip install ovito")
    from ovito.io.ase import ase_to_ovito
    from ovito.pipeline import Pipeline, StaticSource

    reference, current = two_configurations(seed=6)
    pipeline = Pipeline(source=StaticSource(data=ase_to_ovito(wrapped(current).to_atoms()[0])))
    modifier = modifiers.AtomicStrainModifier(
        cutoff=CUTOFF, output_nonaffine_squared_displacements=True, output_deformation_gradients=True
    )
    modifier.reference = StaticSource(data=ase_to_ovito(reference.to_atoms()[0]))
    pipeline.modifiers.append(modifier)
    particles = pipeline.compute().particles
    found = local_deformation(reference, wrapped(current), CUTOFF, "ovito")
    assert np.allclose(found.d2min, particles["Nonaffine Squared Displacement"][...], rtol=1e-6, atol=0.0)
    assert np.allclose(found.shear_strains, particles["Shear Strain"][...], rtol=1e-6, atol=0.0)


def test_equals_lammps() -> None:
    reference, current = two_configurations()
    before, after = lammps_cell(reference.cells[0])[0], lammps_cell(current.cells[0])[0]
    start, end = (
        structure.positions @ np.linalg.inv(structure.cells[0]) @ cell
        for structure, cell in ((reference, before), (current, after))
    )
    count = reference.atoms
    with lammps_session() as lammps:
        lammps.commands_string(
            f"""
            units metal
            atom_modify map yes
            box tilt large
            region cell prism 0 {before[0, 0]} 0 {before[1, 1]} 0 {before[2, 2]} &
                {before[1, 0]} {before[2, 0]} {before[2, 1]} units box
            create_box 1 cell
            mass 1 1.0
            pair_style zero 6.0
            pair_coeff * *
            comm_modify cutoff 8.0
            """
        )
        lammps.create_atoms(count, np.arange(1, count + 1), [1] * count, start.ravel())
        lammps.commands_string(f"fix rest all nonaffine/displacement 1 d2min custom {CUTOFF} fixed 0\nrun 0")
        sides = " ".join(f"{axis} final 0 {after[place, place]:.17g}" for place, axis in enumerate("xyz"))
        tilts = f"xy final {after[1, 0]:.17g} xz final {after[2, 0]:.17g} yz final {after[2, 1]:.17g}"
        lammps.command(f"change_box all {sides} {tilts}")
        identities = lammps.numpy.extract_atom("id")[:count]
        lammps.numpy.extract_atom("x")[:count] = end[identities - 1]
        # Any other step than that of the reference; LAMMPS measures at the end of one.
        lammps.commands_string("reset_timestep 5\nrun 1")
        order = np.argsort(lammps.numpy.extract_atom("id")[:count])
        expected = lammps.numpy.extract_fix("rest", 1, 2)[:count][order, 0]
    found = local_deformation(reference, current, CUTOFF, "lammps").d2min
    assert np.allclose(found, expected, rtol=1e-9, atol=0.0)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_is_the_least_of_least_squares(convention: str) -> None:
    """Pair by pair with an explicit fit, in a cell smaller than the cutoff where images of one atom differ."""
    reference, current = two_configurations(seed=7, repeats=1)
    chosen, found = CONVENTIONS[convention], local_deformation(reference, current, CUTOFF, convention)
    shifts = np.array([[a, b, c] for a in range(-4, 5) for b in range(-4, 5) for c in range(-4, 5)])
    for atom in range(reference.atoms):
        before, after = (
            (each.positions[:, None] - each.positions[atom] + shifts @ each.cells[0]).reshape(-1, 3)
            for each in (reference, current)
        )
        near, now = (np.linalg.norm(vectors, axis=1) < CUTOFF for vectors in (before, after))
        own = np.linalg.norm(before, axis=1) < 1e-9
        chosen_pairs = {"reference": near, "current": now, "both": near & now}[chosen.neighbours] & ~own
        gradient, rest = np.linalg.lstsq(before[chosen_pairs], after[chosen_pairs])[:2]
        expected = {"sum": rest.sum(), "mean": rest.sum() / chosen_pairs.sum()}
        expected["root mean"] = np.sqrt(expected["mean"])
        assert found.d2min[atom] == pytest.approx(expected[chosen.measure], rel=1e-9)
        assert np.allclose(found.gradients[atom], gradient.T, atol=1e-11)


def test_small_displacements_are_the_limit() -> None:
    reference, _ = two_configurations()
    field = np.random.default_rng(3).normal(size=reference.positions.shape)
    moved = replace(reference, positions=reference.positions + 1e-6 * field)
    squares = local_deformation(reference, moved, CUTOFF).d2min / 1e-12
    assert np.allclose(nonaffine_squares(reference, field, CUTOFF), squares, rtol=1e-6)


def test_refuses_what_cannot_be_fitted() -> None:
    reference, current = two_configurations()
    with pytest.raises(InputError, match=r"0 neighbours of atom 0 .* larger cutoff"):
        local_deformation(reference, current, 0.5)
    with pytest.raises(InputError, match="choose one of paper, ovito"):
        local_deformation(reference, current, CUTOFF, "falk")
    with pytest.raises(InputError, match="same atoms in the same order"):
        local_deformation(reference, StructureBatch.from_atoms([bulk("Cu")]), CUTOFF)
