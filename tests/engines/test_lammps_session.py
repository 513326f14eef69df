"""LAMMPS opens quietly, its cells are equivalent to ours, its errors fit one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mechlearn.engines.lammps import lammps_cell, lammps_errors, lammps_session, potential_file, reduced_cell
from mechlearn.errors import InputError, WorkError

seeds = st.integers(min_value=0, max_value=2**32 - 1)


def random_cell(seed: int) -> np.ndarray:
    """A cell of any handedness, sheared by whole vectors up to nine times over."""
    rng = np.random.default_rng(seed)
    shear = np.array([[1, *rng.integers(-9, 10, 2)], [0, 1, rng.integers(-9, 10)], [0, 0, 1]])
    return shear @ (np.diag(rng.uniform(0.5, 20.0, 3)) @ np.linalg.qr(rng.normal(size=(3, 3)))[0])


@given(seeds)
def test_the_lattice_stays_the_same(seed: int) -> None:
    cell = random_cell(seed)
    lower, rotation = lammps_cell(cell)
    change = lower @ rotation.T @ np.linalg.inv(cell)
    assert np.allclose(change, np.round(change), atol=1e-7)
    assert abs(abs(np.linalg.det(np.round(change))) - 1.0) < 1e-9


@given(seeds)
def test_the_frame_is_what_lammps_wants(seed: int) -> None:
    lower, rotation = lammps_cell(random_cell(seed))
    assert np.array_equal(lower, np.tril(lower))
    assert np.all(np.diagonal(lower) > 0)
    assert np.allclose(rotation.T @ rotation, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    # LAMMPS's limits on tilt, but for yz, which its "box tilt large" lets pass.
    assert abs(lower[1, 0]) <= lower[0, 0] * (0.5 + 1e-9)
    assert abs(lower[2, 0]) <= lower[0, 0] * (0.5 + 1e-9)


@given(seeds)
def test_no_reduced_vector_gets_shorter_by_adding_others(seed: int) -> None:
    reduced = reduced_cell(random_cell(seed))
    lengths = np.linalg.norm(reduced, axis=1)
    for row in range(3):
        for i in (-1, 0, 1):
            for j in (-1, 0, 1):
                longer = reduced[row] + i * reduced[(row + 1) % 3] + j * reduced[(row + 2) % 3]
                assert np.linalg.norm(longer) >= lengths[row] * (1 - 1e-9)


def test_a_cell_of_lammps_stays_as_it_is() -> None:
    cell = np.array([[4.0, 0.0, 0.0], [1.5, 5.0, 0.0], [-1.0, 2.0, 6.0]])
    lower, rotation = lammps_cell(cell)
    assert np.allclose(lower, cell, atol=1e-14)
    assert np.allclose(rotation, np.eye(3), atol=1e-14)


@pytest.mark.parametrize(
    "cell", [np.zeros((3, 3)), np.ones((3, 3)), np.full((3, 3), np.nan), np.diag([1.0, 1.0, np.inf])]
)
def test_a_singular_cell_is_a_users_error(cell: np.ndarray) -> None:
    with pytest.raises(InputError, match="has no volume"):
        lammps_cell(cell)


def test_lammps_takes_the_library_of_the_environment_and_stays_silent(tmp_path: Path) -> None:
    code = (
        "from mechlearn.engines import lammps_session\n"
        "with lammps_session() as session:\n"
        "    session.commands_string('units metal\\natom_style atomic\\nregion box block 0 1 0 1 0 1\\n"
        "create_box 1 box\\ncreate_atoms 1 single 0 0 0\\n"
        "mass 1 1.0\\npair_style zero 0.9\\npair_coeff * *\\nrun 0')\n"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PATH": "/bin"},
        check=False,
    )
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")
    assert not list(tmp_path.iterdir())


def test_an_error_of_lammps_is_one_line() -> None:
    with pytest.raises(WorkError) as raised, lammps_session(doing="quenching") as session:
        session.commands_string("units metal\npair_style no/such/style")
    assert str(raised.value) == "quenching: LAMMPS says: Unrecognized pair style 'no/such/style'"


def test_a_users_commands_give_a_users_error() -> None:
    with (
        pytest.raises(InputError, match=r"^setting up: LAMMPS says: Illegal units|^setting up: LAMMPS says: Unknown"),
        lammps_session(doing="setting up", error=InputError) as session,
    ):
        session.command("units parsecs")


def test_errors_of_python_pass_through() -> None:
    with pytest.raises(ZeroDivisionError), lammps_errors("dividing"):
        _ = 1 / 0


def test_an_unknown_file_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match=r"none named 'W_zhuo.eam.alloy'; did you mean 'W_zhou.eam.alloy'\?"):
        potential_file("W_zhuo.eam.alloy")


def test_leaves_the_linear_algebra_of_others_alone() -> None:
    """LAMMPS brings a reference BLAS; no library loaded after it may find that one's ``dgemm_``."""
    code = (
        "import ctypes; from mechlearn.engines import open_lammps; open_lammps().close(); "
        "print(hasattr(ctypes.CDLL(None), 'dgemm_'))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
