"""Plastic modes: what defines them, what they foretell, and that no frame matters."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from ase.build import bulk
from scipy.spatial.transform import Rotation

from glass_specimens import SHEAR, model_glass, model_specimen
from mechlearn.errors import WorkError
from mechlearn.glasses import (
    PlasticModes,
    ShearSettings,
    imminences,
    mechanism_features,
    nonaffine_response,
    plastic_modes,
    shear,
)
from mechlearn.glasses.description.response import balanced
from mechlearn.glasses.rest.displacements import centred, displaced
from mechlearn.glasses.rest.minimisation import preconditioner
from mechlearn.interactions import LennardJones, SmoothPoint, deformed
from mechlearn.structures import StructureBatch

CUTOFF = 1.8


@lru_cache
def found() -> tuple[SmoothPoint, PlasticModes]:
    point = model_glass().at(model_specimen())
    return point, plastic_modes(model_glass(), point, CUTOFF)


def cores(modes: PlasticModes) -> np.ndarray:
    return np.square(modes.vectors).sum(axis=2).argmax(axis=1)


def test_they_soften_as_their_energy_says() -> None:
    """λ and τ against differences of the energy along s v, and v against what defines it."""
    point, modes = found()
    assert len(modes) >= 2
    assert np.linalg.norm(modes.vectors, axis=(1, 2)) == pytest.approx(1.0)
    step = 0.02
    for vector, stiffness, asymmetry in zip(modes.vectors, modes.stiffnesses, modes.asymmetries, strict=True):
        ahead, behind = (
            model_glass().at(displaced(point.structure, sign * step * vector)).energy - point.energy
            for sign in (1.0, -1.0)
        )
        assert (ahead + behind) / step**2 == pytest.approx(stiffness, rel=0.05)
        assert 3.0 * (behind - ahead) / step**3 == pytest.approx(asymmetry, rel=0.05, abs=1.0)
    # At the top, s = 2 λ/τ.
    top = 2.0 * modes.stiffnesses / modes.asymmetries
    assert np.allclose(0.5 * modes.stiffnesses * top**2 - modes.asymmetries * top**3 / 6.0, modes.barriers)
    products = np.stack([point.hessian_product(vector) for vector in modes.vectors])
    coupled = np.einsum("kia,lia->kl", modes.vectors, products)
    assert np.allclose(coupled, np.diag(modes.stiffnesses), atol=1e-8 * modes.stiffnesses.max())


def test_the_first_is_a_fixed_point() -> None:
    """H⁻¹ U‴ v v is a multiple of v, U‴ by differences of the Hessian along v."""
    point, modes = found()
    vector, step = modes.vectors[0], 1e-3
    ahead, behind = (
        model_glass().at(displaced(point.structure, sign * step * vector)).hessian_product(vector)
        for sign in (1.0, -1.0)
    )
    third = (ahead - behind) / (2.0 * step)
    assert -np.vdot(vector, third) == pytest.approx(modes.asymmetries[0], rel=0.02)
    response = balanced(point, centred(third), preconditioner(point), 1e-8)
    assert -np.vdot(response, vector) / np.linalg.norm(response) > 0.99


def test_what_is_held_up_does_not_give_way() -> None:
    """Of one dimension: E = ½ λ s² − τ s³/6 + χ s⁴/24 − c γ s loses its minimum, or never does."""
    point, _ = found()
    vector = np.zeros((1, *point.structure.positions.shape))
    vector[0, 0, 0], vector[0, 1, 0] = np.sqrt(0.5), -np.sqrt(0.5)
    stiffness, asymmetry = 2.0, 10.0
    drive = -np.vdot(vector[0], point.nonaffine_forces(SHEAR[None])[:, :, 0])
    response = nonaffine_response(model_glass(), point, SHEAR)
    for stiffening in (-20.0, 0.0, 20.0, 30.0):
        modes = PlasticModes(
            *(np.array([number]) for number in (stiffness, asymmetry, stiffening)),
            np.sign(drive) * vector,
            np.ones((1, point.structure.atoms)),
        )
        soon = imminences(model_glass(), point, SHEAR, response, modes).fourth[0]
        way = np.linspace(0.0, 2.0, 200_001)
        pull = stiffness * way - 0.5 * asymmetry * way**2 + stiffening * way**3 / 6.0
        falling = np.flatnonzero(np.diff(pull) < 0.0)
        expected = abs(drive) / pull[falling[0]] if len(falling) else 0.0
        assert soon == pytest.approx(expected, rel=1e-6)
        assert (soon == 0.0) == (asymmetry**2 < 2.0 * stiffness * stiffening)
        # It comes to rest where the slope is once more what it was at its top; with nothing that stiffens, nowhere.
        again = way[falling[0] :][pull[falling[0] :] >= pull[falling[0]]][1:] if len(falling) else way[:0]
        slip = again[0] - way[falling[0]] if len(again) else np.inf if len(falling) else 0.0
        assert modes.slips[0] == pytest.approx(slip, rel=1e-3)


def test_only_a_slip_that_is_seen_is_an_event() -> None:
    """Below the smallest of all slips every mode counts, above the largest none; an event is as imminent or later."""
    point, modes = found()
    held = replace(modes, stiffenings=0.15 * np.square(modes.asymmetries) / modes.stiffnesses)

    def columns(threshold: float) -> list[np.ndarray]:
        table = mechanism_features(model_glass(), point, SHEAR, cutoff=CUTOFF, plastic=held, threshold=threshold)
        names = ("imminence to fourth order", "imminence of an event", "slip of the instability")
        return [table.column(name) for name in names]

    every, seen, slips = columns(1e-12)
    assert every.max() > 0.0
    assert np.array_equal(seen, every)
    assert not columns(1e12)[1].any()
    first = slips[every.argmax()]
    assert np.array_equal(columns(0.99 * first)[1].argmax(), every.argmax())
    later = columns(1.01 * first)[1]
    assert np.all(later <= every)
    assert later[every.argmax()] < every.max()


def test_a_mode_foretells_the_event_that_is_near() -> None:
    """Nine tenths of the way to an instability its mode is the most imminent, and the strain left is known."""
    settings = ShearSettings(step=1e-3, final_strain=0.2, threshold=0.015)
    event = shear(model_glass(), model_specimen(), SHEAR, settings).events[0]
    errors = []
    for share in (0.9, 0.99):
        near = ShearSettings(step=1e-3, final_strain=share * event.strain, threshold=0.015)
        path = shear(model_glass(), model_specimen(), SHEAR, near)
        point = model_glass().at(path.state.structure)
        modes = plastic_modes(model_glass(), point, CUTOFF)
        response = nonaffine_response(model_glass(), point, SHEAR)
        soon = imminences(model_glass(), point, SHEAR, response, modes)
        orders = (soon.first, soon.second)
        assert [cores(modes)[order.argmax()] for order in orders] == 2 * [event.trigger]
        errors.append([abs(1.0 / order.max() / ((1.0 - share) * event.strain) - 1.0) for order in orders])
    # λ falls as the root of the strain that is left, and so does the error.
    assert np.all(np.array(errors[0]) < 0.35), errors
    assert np.all(np.array(errors[1]) < 0.25), errors


def test_senses_and_frames() -> None:
    point, modes = found()
    forth, back = (
        imminences(model_glass(), point, sign * SHEAR, nonaffine_response(model_glass(), point, sign * SHEAR), modes)
        for sign in (1.0, -1.0)
    )
    # To first order a mode is driven forth or back, never both ways.
    assert np.all((forth.first > 0.0) != (back.first > 0.0))
    rotation = Rotation.random(random_state=3).as_matrix()
    turned_point = model_glass().at(deformed(point.structure, rotation))
    turned_modes = plastic_modes(model_glass(), turned_point, CUTOFF)
    assert np.array_equal(cores(turned_modes), cores(modes))
    assert np.allclose(turned_modes.stiffnesses, modes.stiffnesses, rtol=1e-2)
    turned_shear = rotation @ SHEAR @ rotation.T
    turned = imminences(
        model_glass(),
        turned_point,
        turned_shear,
        nonaffine_response(model_glass(), turned_point, turned_shear),
        turned_modes,
    )
    for order in ("first", "second", "fourth"):
        here, there = getattr(forth, order), getattr(turned, order)
        assert np.allclose(here, there, rtol=0.03, atol=0.03 * here.max())


def test_where_symmetry_forbids_them_there_are_none() -> None:
    crystal = StructureBatch.from_atoms([bulk("Ni", "fcc", a=1.56, cubic=True) * 4])
    point = model_glass().at(crystal)
    modes = plastic_modes(model_glass(), point, CUTOFF)
    assert len(modes) == 0
    response = nonaffine_response(model_glass(), point, SHEAR)
    assert len(imminences(model_glass(), point, SHEAR, response, modes).first) == 0


def test_a_structure_that_is_not_at_rest_is_refused() -> None:
    rng = np.random.default_rng(0)
    structure = displaced(model_specimen(), 0.15 * rng.normal(size=model_specimen().positions.shape))
    potential: LennardJones = model_glass()
    with pytest.raises(WorkError, match="not at a minimum"):
        plastic_modes(potential, potential.at(structure), CUTOFF)
