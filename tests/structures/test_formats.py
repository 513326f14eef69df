"""Readers and writers: units and signs, exact round trips, and one-line errors for what is broken."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from mechlearn.errors import InputError, WorkError
from mechlearn.structures import StructureBatch, read_structures, write_structures
from mechlearn.structures.formats import _format_of
from mechlearn.units import EV_PER_CUBIC_ANGSTROM_PER_BAR, GPA_PER_EV_PER_CUBIC_ANGSTROM
from structures.sample import differences, random_batch


def _record(**changes: Any) -> dict[str, Any]:
    """A configuration of two atoms as FitSNAP's JSON has it."""
    record = {
        "NumAtoms": 2,
        "Lattice": [[3.2, 0, 0], [0.1, 3.2, 0], [0, 0, 3.2]],
        "Energy": -17.5,
        "Stress": [[100, 6, 5], [6, 200, 4], [5, 4, 300]],
        "AtomTypes": ["W", "Be"],
        "Positions": [[0, 0, 0], [1.6, 1.6, 1.6]],
        "Forces": [[0.1, 0, 0], [-0.1, 0, 0]],
    }
    return {**record, **changes}


def _write_json(path: Path, record: dict[str, Any], **styles: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("# a comment\n" + json.dumps({"Dataset": {**styles, "Data": [record]}}))
    return path


# ---------------------------------------------------------------------- FitSNAP


def test_fitsnap_keeps_cell_species_and_labels(tmp_path: Path) -> None:
    _write_json(tmp_path / "set" / "bcc" / "a.json", _record())
    batch = read_structures(tmp_path / "set")
    assert (batch.groups, batch.names, batch.elements) == (("bcc",), ("a",), ("Be", "W"))
    assert batch.cells[0, 1].tolist() == [0.1, 3.2, 0]
    assert batch.species.tolist() == [74, 4]
    assert batch.energies.tolist() == [-17.5]
    assert batch.forces[1].tolist() == [-0.1, 0, 0]


@pytest.mark.parametrize(("style", "in_bar"), [("bar", 1.0), ("kbar", 1e3), ("gigapascal", 1e4), ("pascal", 1e-5)])
def test_fitsnap_pressure_becomes_tension_in_voigt_order(tmp_path: Path, style: str, in_bar: float) -> None:
    _write_json(tmp_path / "a.json", _record(), StressStyle=style)
    stress = read_structures(tmp_path).stresses[0]
    # 1 bar is 1e-4 GPa: a way to eV/Å³ other than the reader's.
    expected = -np.array([100, 200, 300, 4, 5, 6]) * in_bar * 1e-4 / GPA_PER_EV_PER_CUBIC_ANGSTROM
    np.testing.assert_allclose(stress, expected, rtol=1e-12)


def test_a_stress_of_zeros_is_no_label(tmp_path: Path) -> None:
    _write_json(tmp_path / "a.json", _record(Stress=[[0, 0, 0]] * 3))
    assert np.isnan(read_structures(tmp_path).stresses).all()


def test_files_come_in_natural_order(tmp_path: Path) -> None:
    for name in ("Liq_10", "Liq_2", "Liq_1"):
        _write_json(tmp_path / f"{name}.json", _record())
    assert read_structures(tmp_path).names == ("Liq_1", "Liq_2", "Liq_10")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Forces": [[0, 0, 0]]}, r"Forces has shape \(1, 3\) for 2 atoms; give 2 rows"),
        ({"Positions": [[0, 0, 0], [1, 1]]}, "Positions is not 2 rows of 3 numbers"),
        ({"NumAtoms": 3}, "NumAtoms is 3 but AtomTypes has 2"),
        ({"Lattice": [[1, 0, 0], [2, 0, 0], [0, 0, 1]]}, "the cell in Lattice is singular"),
        ({"Forces": [[0, 0, 0], [0, float("nan"), 0]]}, r"Forces holds \[0.0, nan, 0.0\] at row 2"),
        ({"Forces": [[float("inf"), 0, 0], [0, 0, 0]]}, r"Forces holds \[inf, 0.0, 0.0\] at row 1"),
        ({"Energy": float("nan")}, "Energy is nan; give a finite number"),
        ({"AtomTypes": ["W", "Xx"]}, "AtomTypes holds 'Xx', not a chemical symbol"),
        ({"AtomTypes": []}, "AtomTypes is empty"),
    ],
)
def test_a_broken_configuration_is_named_in_one_line(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = _write_json(tmp_path / "a.json", _record(**changes))
    with pytest.raises(InputError, match=message) as caught:
        read_structures(tmp_path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_field_or_unknown_unit_is_named(tmp_path: Path) -> None:
    record = _record()
    del record["Positions"]
    path = _write_json(tmp_path / "a.json", record)
    with pytest.raises(InputError, match="the field Positions is missing"):
        read_structures(path)
    _write_json(path, _record(), StressStyle="psi")
    with pytest.raises(InputError, match="StressStyle is 'psi'; use one of bar, kbar"):
        read_structures(path)


def test_truncated_json_is_named_with_its_line(tmp_path: Path) -> None:
    path = _write_json(tmp_path / "a.json", _record())
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"a\.json: not complete JSON.*line 2, column \d+.*truncated"):
        read_structures(path)
    path.write_text('# comment\n{"Dataset": {"Data": []}}')
    with pytest.raises(InputError, match="no Dataset → Data list"):
        read_structures(path)


# ---------------------------------------------------------------------- round trips


@pytest.mark.parametrize("name", ["out.xyz", "out.extxyz", "out.parquet"])
def test_round_trip_to_the_last_bit(tmp_path: Path, name: str) -> None:
    batch = replace(random_batch(20), names=tuple(str(n) for n in ("007", "T", "1e5", "3 4", 'q"\\x', *range(15))))
    batch = replace(batch, groups=("bcc", "x y") * 10)
    again = read_structures(write_structures(batch, tmp_path / name))
    assert differences(again, batch) == []


def test_fitsnap_round_trip(tmp_path: Path) -> None:
    """Positions, cells, energies and forces to the last bit; stresses too, from decimal bars."""
    bars = np.round(np.random.default_rng(0).normal(scale=1e4, size=(20, 6)), 5)
    batch = replace(
        random_batch(20),
        stresses=-bars * EV_PER_CUBIC_ANGSTROM_PER_BAR,
        groups=("bcc", "surface/110") * 10,
        periodic=np.ones((20, 3), dtype=bool),
        seeds=np.full(20, -1),
    )
    again = read_structures(write_structures(batch, tmp_path / "out"))
    back = [again.names.index(name) for name in batch.names]
    assert differences(again.select(back), batch, ignored=("origins",)) == []


def test_fitsnap_names_cannot_leave_the_folder(tmp_path: Path) -> None:
    batch = replace(random_batch(2), groups=("../../evil", "/etc"), names=("../x", ""))
    folder = write_structures(batch, tmp_path / "deep" / "out")
    written = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.json"))
    assert written == ["etc/structure-000001.json", "evil/x.json"]
    assert [path.name for path in tmp_path.rglob("*") if path.is_dir()].count("evil") == 1


def test_structures_of_one_name_do_not_replace_each_other(tmp_path: Path) -> None:
    batch = replace(random_batch(3), groups=("a",) * 3, names=("same",) * 3)
    assert len(read_structures(write_structures(batch, tmp_path / "out"))) == 3


# ---------------------------------------------------------------------- writing


def test_writing_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    batch = random_batch(2)
    with pytest.raises(InputError, match=r"no format has the ending '\.pdf'"):
        write_structures(batch, tmp_path / "out.pdf")
    with pytest.raises(InputError, match="one structure a file and there are 2"):
        write_structures(batch, tmp_path / "out.json")
    with pytest.raises(InputError, match="the batch is empty"):
        write_structures(StructureBatch.empty(), tmp_path / "out.xyz")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    with pytest.raises(InputError, match="is not an empty folder"):
        write_structures(batch, tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("mechlearn.structures.formats.write_xyz", refuse)
    with pytest.raises(WorkError, match="No space left on device; nothing was written"):
        write_structures(random_batch(2), tmp_path / "out.xyz")
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------- extended XYZ and others


def _labelled_frame() -> Any:
    atoms = bulk("W", cubic=True)
    stress = np.array([1, 2, 3, 4, 5, 6]) * 0.01
    atoms.calc = SinglePointCalculator(atoms, energy=-17.0, forces=[[0.1, 0, 0], [-0.1, 0, 0]], stress=stress)
    return atoms


def test_extended_xyz_of_ase_is_read(tmp_path: Path) -> None:
    atoms = _labelled_frame()
    atoms.info["config_type"] = "bulk"
    write(tmp_path / "a.xyz", [atoms, atoms])
    batch = read_structures(tmp_path / "a.xyz")
    assert (len(batch), batch.names) == (2, ("a-0", "a-1"))
    assert batch.groups == ("bulk", "bulk")
    np.testing.assert_allclose(batch.stresses[0], np.array([1, 2, 3, 4, 5, 6]) * 0.01)
    assert batch.energies.tolist() == [-17.0, -17.0]


def test_an_at_sign_belongs_to_the_name_of_a_file(tmp_path: Path) -> None:
    """ASE would take what follows for the index of an image."""
    write(tmp_path / "run@300K.xyz", [bulk("W"), bulk("W")], format="extxyz")
    assert len(read_structures(tmp_path / "run@300K.xyz")) == 2


def test_labels_under_other_names_are_taken_up(tmp_path: Path) -> None:
    atoms = bulk("W", cubic=True)
    atoms.info |= {"REF_energy": -17.0, "REF_virial": np.diag([1.0, 2.0, 3.0])}
    atoms.arrays["REF_forces"] = np.array([[0.1, 0, 0], [-0.1, 0, 0]])
    write(tmp_path / "a.xyz", atoms)
    batch = read_structures(tmp_path / "a.xyz")
    assert batch.energies.tolist() == [-17.0]
    assert batch.forces[0].tolist() == [0.1, 0, 0]
    # A virial is positive where the structure pushes outwards: minus the stress times the volume.
    np.testing.assert_allclose(batch.stresses[0] * atoms.get_volume(), [-1, -2, -3, 0, 0, 0], atol=1e-12)


def test_truncated_xyz_is_named_with_its_frame(tmp_path: Path) -> None:
    path = write_structures(random_batch(5), tmp_path / "a.xyz")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    with pytest.raises(InputError, match=r"a\.xyz: the frame at line \d+ announces \d atoms but holds \d"):
        read_structures(path)
    path.write_text(lines[0] + lines[1])
    with pytest.raises(InputError, match="the frame at line 1 announces"):
        read_structures(path)
    path.write_text("")
    with pytest.raises(InputError, match="the file is empty"):
        read_structures(path)
    path.write_text("four\n")
    with pytest.raises(InputError, match="line 1 is 'four' where a number of atoms is due"):
        read_structures(path)


@pytest.mark.parametrize("bad", ["nan", "inf"])
def test_forces_that_are_not_finite_are_named_with_their_atom(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "a.xyz"
    write(path, _labelled_frame())
    path.write_text(path.read_text().replace("-0.10000000", bad))
    with pytest.raises(InputError, match=rf"structure 1 has forces \[{bad}, 0.0, 0.0\] at atom 2"):
        read_structures(path)


def test_a_singular_cell_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    path.write_text('1\nLattice="3 0 0 6 0 0 0 0 3" Properties=species:S:1:pos:R:3 pbc="T T T"\nW 0 0 0\n')
    with pytest.raises(InputError, match="structure 1 has a singular cell"):
        read_structures(path)


def test_rows_that_differ_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    path.write_text('2\nLattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3\nW 0 0 0\nW 0 0\n')
    with pytest.raises(InputError, match="line 4 has 3 columns where the frame's first atom has 4"):
        read_structures(path)


def test_lammps_data_and_dump(tmp_path: Path) -> None:
    atoms = bulk("W", cubic=True)
    write(tmp_path / "a.data", atoms, format="lammps-data", masses=True)
    assert read_structures(tmp_path / "a.data").elements == ("W",)
    write(tmp_path / "b.data", atoms, format="lammps-data")
    with pytest.raises(InputError, match=r"b\.data: it numbers its atom types.*pass elements"):
        read_structures(tmp_path / "b.data")
    assert read_structures(tmp_path / "b.data", elements=("Mo",)).elements == ("Mo",)
    (tmp_path / "c.dump").write_text(
        "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n0 3\n0 3\n0 3\n"
        "ITEM: ATOMS id type x y z fx fy fz\n1 1 0.5 0.5 0.5 0.25 0 0\n"
    )
    with pytest.raises(InputError, match="pass elements"):
        read_structures(tmp_path / "c.dump")
    batch = read_structures(tmp_path / "c.dump", elements=["W"])
    assert batch.elements == ("W",)
    np.testing.assert_allclose(batch.forces, [[0.25, 0, 0]])
    with pytest.raises(InputError, match="'Qq' is not a chemical symbol"):
        read_structures(tmp_path / "c.dump", elements=["Qq"])


def test_what_ase_cannot_parse_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "OUTCAR").write_text("not really\n")
    (tmp_path / "vasprun.xml").write_text("<modeling><incomplete>")
    for name in ("OUTCAR", "vasprun.xml"):
        with pytest.raises(InputError, match=rf"{name}: (ASE cannot read it|it holds no structure)") as caught:
            read_structures(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_names_tell_the_format() -> None:
    found = {name: _format_of(name) for name in ("OUTCAR", "run1.OUTCAR", "OUTCAR.3", "vasprun.xml", "vasprun_2.xml")}
    assert found == {
        "OUTCAR": "vasp-out",
        "run1.OUTCAR": "vasp-out",
        "OUTCAR.3": "vasp-out",
        "vasprun.xml": "vasp-xml",
        "vasprun_2.xml": "vasp-xml",
    }
    assert _format_of("LICENSE") is None


# ---------------------------------------------------------------------- folders


def test_missing_and_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent: no such file or folder"):
        read_structures(tmp_path / "absent")
    (tmp_path / "README").touch()
    with pytest.raises(InputError, match="the folder holds no file of structures"):
        read_structures(tmp_path)


def test_a_folder_may_mix_formats(tmp_path: Path) -> None:
    _write_json(tmp_path / "bcc" / "a.json", _record())
    (tmp_path / "liquid").mkdir()
    write(tmp_path / "liquid" / "b.xyz", _labelled_frame())
    (tmp_path / "LICENSE").write_text("none of a reader's business")
    batch = read_structures(tmp_path)
    assert batch.groups == ("bcc", "liquid")
    assert batch.origins == (str(tmp_path),) * 2


def test_the_tungsten_set_is_read_whole(tungsten_data: Path) -> None:
    batch = read_structures(tungsten_data)
    assert (len(batch), batch.atoms, len(set(batch.groups))) == (8909, 148094, 14)
    assert np.isfinite(batch.energies).all()
    assert np.isfinite(batch.forces).all()
    assert int(np.isnan(batch.stresses).all(axis=1).sum()) == 6755
    first = batch.names.index("15EOS_1")
    np.testing.assert_allclose(batch.stresses[first, 0], -49.40447 * EV_PER_CUBIC_ANGSTROM_PER_BAR, rtol=1e-12)
