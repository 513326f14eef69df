"""SNAP files: published ones give LAMMPS's numbers, written ones run in LAMMPS, broken ones are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from mechlearn.descriptors import Bispectrum
from mechlearn.engines.lammps import lammps_session, potential_file
from mechlearn.errors import InputError
from mechlearn.interactions import Evaluation
from mechlearn.interactions.lammps import LammpsPotential
from mechlearn.interactions.zbl import Zbl
from mechlearn.potentials.lammps_files import read_snap, write_lammps
from mechlearn.potentials.snap import SnapPotential
from mechlearn.structures import StructureBatch


def random_structures(elements: tuple[str, ...], rng: np.random.Generator, count: int = 6) -> StructureBatch:
    """Periodic cells, sheared, some of them smaller than the cutoff, of random elements."""
    images = []
    for index in range(count):
        atoms = bulk("W", "bcc", a=3.2 * rng.uniform(0.95, 1.1), cubic=True) * (
            1 + index % 3,
            1,
            1 + index % 2,
        )
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.uniform(-0.15, 0.15, (3, 3))), scale_atoms=True)
        atoms.positions += rng.normal(0.0, 0.15, atoms.positions.shape)
        atoms.symbols = rng.choice(elements, len(atoms))
        images.append(atoms)
    return StructureBatch.from_atoms(images)


def assert_same(one: Evaluation, other: Evaluation, relative: float = 1e-8) -> None:
    """Energies, forces and stresses agree relative to the largest."""
    for quantity in ("energies", "forces", "stresses"):
        expected = getattr(other, quantity)
        np.testing.assert_allclose(getattr(one, quantity), expected, rtol=0, atol=relative * np.abs(expected).max())


def random_potential(
    rng: np.random.Generator,
    *,
    elements: tuple[str, ...] = ("W",),
    quadratic: bool = False,
    reference: Zbl | None = None,
) -> SnapPotential:
    """A SNAP potential with random coefficients, awkward to print."""
    count = len(elements)
    descriptor = Bispectrum(
        elements,
        cutoff=4.1 + rng.uniform(),
        twojmax=4,
        element_radii=tuple(rng.uniform(0.45, 0.5, count)),
        element_weights=tuple(rng.uniform(0.5, 1.0, count)),
        rfac0=0.97 + 0.01 * rng.uniform(),
        bzero=quadratic,
    )
    features = descriptor.features
    width = 1 + features + (features * (features + 1) // 2 if quadratic else 0)
    coefficients = rng.normal(size=(count, width)) * 10.0 ** rng.integers(-6, 1, size=(count, width))
    return SnapPotential(descriptor=descriptor, coefficients=coefficients, quadratic=quadratic, reference=reference)


@pytest.mark.parametrize(
    ("name", "elements"),
    [
        ("W_2940_2017_2.snap", ("W",)),
        ("WBe_Wood_PRB2019.snap", ("W", "Be")),
        ("Cu_Zuo_JPCA2020.quadratic.snap", ("Cu",)),
        ("Ta06A.snap", ("Ta",)),
    ],
)
def test_published_potentials_give_lammps_numbers(name: str, elements: tuple[str, ...]) -> None:
    potential = read_snap(potential_file(name))
    assert potential.elements == elements
    batch = random_structures(elements, np.random.default_rng(3))
    assert_same(potential.evaluate(batch), LammpsPotential.from_files(name).evaluate(batch))


def test_coefficients_without_commands_have_no_repulsion() -> None:
    path = potential_file("W_2940_2017_2.snapcoeff")
    assert read_snap(path).reference is None
    assert read_snap(path, path.with_suffix(".snapparam")).elements == ("W",)


@pytest.mark.parametrize(
    ("elements", "quadratic", "zbl"),
    [(("W",), False, False), (("W",), True, True), (("Be", "W"), False, True), (("Be", "W"), True, False)],
)
def test_written_files_run_in_lammps(tmp_path: Path, elements: tuple[str, ...], quadratic: bool, zbl: bool) -> None:
    rng = np.random.default_rng(11)
    potential = random_potential(
        rng, elements=elements, quadratic=quadratic, reference=Zbl(elements, 3.9, 4.7) if zbl else None
    )
    files = write_lammps(potential, tmp_path / "new folder", "mine", provenance="fitted to 3 structures\nof Å")
    batch = random_structures(elements, rng)
    assert_same(LammpsPotential.from_files(files.include).evaluate(batch), potential.evaluate(batch))


def test_written_files_read_back_bit_for_bit(tmp_path: Path) -> None:
    elements = ("W", "Be")
    potential = random_potential(
        np.random.default_rng(5), elements=elements, quadratic=True, reference=Zbl(elements, 3.1, 4.7)
    )
    back = read_snap(write_lammps(potential, tmp_path, "mine").include)
    assert back.descriptor == potential.descriptor
    assert back.reference == potential.reference
    assert back.quadratic == potential.quadratic
    np.testing.assert_array_equal(back.coefficients, potential.coefficients)


def test_the_input_works_by_include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    potential = random_potential(np.random.default_rng(7), reference=Zbl(("W",), 4.0, 4.8))
    write_lammps(potential, tmp_path, "mine")
    monkeypatch.chdir(tmp_path)
    atoms = bulk("W", "bcc", a=3.2, cubic=True)
    with lammps_session() as lmp:
        lmp.commands_string(
            "units metal\nregion box block 0 3.2 0 3.2 0 3.2\ncreate_box 1 box\nlattice bcc 3.2\n"
            "create_atoms 1 box\nmass 1 183.84\ninclude mine.snap\nrun 0"
        )
        energy = lmp.get_thermo("pe")
    assert energy == pytest.approx(potential.evaluate(StructureBatch.from_atoms([atoms])).energies[0], rel=1e-10)


@pytest.mark.parametrize(
    ("elements", "found"),
    [(("W",), "# Atom type 1 is W; masses"), (("W", "Be"), "# Atom types 1 to 2 are W Be, in this order; masses")],
)
def test_the_include_says_which_types_are_which(tmp_path: Path, elements: tuple[str, ...], found: str) -> None:
    files = write_lammps(random_potential(np.random.default_rng(1), elements=elements), tmp_path, "mine")
    assert found in files.include.read_text()


def test_same_potential_gives_the_same_bytes(tmp_path: Path) -> None:
    potential = random_potential(np.random.default_rng(9))
    first, second = (write_lammps(potential, tmp_path / name, "mine") for name in "ab")
    for name in ("include", "coefficients", "parameters"):
        assert getattr(first, name).read_bytes() == getattr(second, name).read_bytes()


# ---------------------------------------------------------------------- bad input


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The input of a potential with a ZBL repulsion, to be broken."""
    potential = random_potential(np.random.default_rng(1), reference=Zbl(("W",), 4.0, 4.8))
    return write_lammps(potential, tmp_path, "mine").include


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("chemflag 1", r"mine\.snapparam, line \d+: 'chemflag 1' is not supported"),
        ("bnormflag 1", "'bnormflag 1' is not supported"),
        ("wselfallflag 1", "'wselfallflag 1' is not supported"),
        ("switchinnerflag 1", "'switchinnerflag 1' is not supported"),
        ("sinner 1.0", "'sinner 1.0' is not supported"),
        ("rcutfak 4.0", "LAMMPS has no keyword 'rcutfak'"),
        ("rmin0 zero", "'zero' is no number"),
        ("rmin0 nan", "'nan' is not finite"),
        ("rmin0", "'rmin0' takes one value, found 0"),
    ],
)
def test_bad_parameters_are_named(written: Path, line: str, message: str) -> None:
    parameters = written.with_suffix(".snapparam")
    parameters.write_text(parameters.read_text() + line + "\n")
    with pytest.raises(InputError, match=message):
        read_snap(written)


def test_flags_that_are_off_and_flags_of_the_gpu_code_pass(written: Path) -> None:
    parameters = written.with_suffix(".snapparam")
    parameters.write_text(parameters.read_text() + "chemflag 0\nbnormflag 0\nchunksize 100\nparallelthresh 3\n")
    assert read_snap(written).elements == ("W",)


def test_missing_required_keyword(written: Path) -> None:
    _edit(written.with_suffix(".snapparam"), "twojmax 4", "")
    with pytest.raises(InputError, match="required keyword 'twojmax' is missing"):
        read_snap(written)


def test_truncated_coefficients(written: Path) -> None:
    coefficients = written.with_suffix(".snapcoeff")
    lines = coefficients.read_text().splitlines()
    coefficients.write_text("\n".join(lines[:-3]))
    with pytest.raises(InputError, match=r"mine\.snapcoeff: the file ends after 12 of the 15 coefficients"):
        read_snap(written)


def test_too_many_coefficients(written: Path) -> None:
    coefficients = written.with_suffix(".snapcoeff")
    coefficients.write_text(coefficients.read_text() + "1.0\n")
    with pytest.raises(InputError, match=r"mine\.snapcoeff, line 19: more lines than 1 elements of 15"):
        read_snap(written)


def test_wrong_number_of_coefficients_for_twojmax(written: Path) -> None:
    _edit(written.with_suffix(".snapparam"), "twojmax 4", "twojmax 6")
    with pytest.raises(InputError, match=r"15 coefficients an element, but twojmax 6 .* need 31"):
        read_snap(written)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1 15", "one 15", r"mine\.snapcoeff, line 2: 'one' is no number"),
        ("1 15", "15", r"mine\.snapcoeff, line 2: expected the number of elements"),
        ("W ", "W W ", r"line 3: expected 'element radius weight'"),
    ],
)
def test_malformed_coefficients_name_the_line(written: Path, old: str, new: str, message: str) -> None:
    _edit(written.with_suffix(".snapcoeff"), old, new)
    with pytest.raises(InputError, match=message):
        read_snap(written)


def test_coefficient_that_is_not_a_number(written: Path) -> None:
    coefficients = written.with_suffix(".snapcoeff")
    lines = coefficients.read_text().splitlines()
    coefficients.write_text("\n".join([*lines[:-1], "1.0e", ""]))
    with pytest.raises(InputError, match=r"mine\.snapcoeff, line 18: '1\.0e' is no number"):
        read_snap(written)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "zbl 74 74",
            "zbl 74 73",
            r"mine\.snap, line \d+: the ZBL charges 74 and 73 are not those of W \(74\)",
        ),
        ("pair_coeff 1 1 zbl 74 74\n", "", "no ZBL repulsion between W and W"),
        ("pair_coeff 1 1 zbl", "pair_coeff 2 2 zbl", "'2' names no atom type of the 1"),
        ("zbl 4.0 4.8", "zbl ${inner} 4.8", "the variable 'inner' has no value"),
        ("zbl 4.0 4.8", "table spline 100", "the pair_style 'table' is not supported"),
        (" W\n", " Xx\n", "'Xx' is no element"),
        (" W\n", " Be\n", "it has no block for the element Be, only for W"),
    ],
)
def test_bad_commands_are_named(written: Path, old: str, new: str, message: str) -> None:
    text = written.read_text()
    head, commands = text[: text.index("pair_style")], text[text.index("pair_style") :]
    assert old in commands
    charges = "zbl 4 4" if new == " Be\n" else "zbl 74 74"
    written.write_text(head + commands.replace(old, new, 1).replace("zbl 74 74", charges))
    with pytest.raises(InputError, match=message):
        read_snap(written)


def test_helium_needs_styles_that_are_not_supported() -> None:
    with pytest.raises(InputError, match=r"line \d+: the pair_style 'table' is not supported"):
        read_snap(potential_file("W_2940_2017_2_He_JW2013.snap"))


def test_explicit_multi_element_is_not_supported() -> None:
    with pytest.raises(InputError, match=r"InP_JCPA2020\.snapparam, line \d+: 'wselfallflag 1' is not supported"):
        read_snap(potential_file("InP_JCPA2020.snap"))


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file or directory; check the path"):
        read_snap(tmp_path / "nothing.snap")
    (tmp_path / "binary.snap").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="no text file"):
        read_snap(tmp_path / "binary.snap")


def test_an_input_without_snap(tmp_path: Path) -> None:
    (tmp_path / "other.lmp").write_text("units metal\n")
    with pytest.raises(InputError, match="no pair_style snap"):
        read_snap(tmp_path / "other.lmp")


def test_names_with_spaces_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'a b' is no name for a file"):
        write_lammps(random_potential(np.random.default_rng(0)), tmp_path, "a b")


def test_unknown_element_in_a_structure() -> None:
    potential = read_snap(potential_file("W_2940_2017_2.snap"))
    with pytest.raises(InputError, match="He"):
        potential.evaluate(StructureBatch.from_atoms([Atoms("He", cell=[3, 3, 3], pbc=True)]))
