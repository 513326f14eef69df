"""Structure sets on disk: exact round trips, whole parts only, altered parts named."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mechlearn.errors import InputError, WorkError
from mechlearn.structures import StructureBatch, StructureSet
from structures.sample import differences, random_batch


@given(count=st.integers(1, 40), seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 50))
def test_what_is_read_is_what_was_written_to_the_last_bit(count: int, seed: int, rows: int) -> None:
    batch = random_batch(count, seed)
    with tempfile.TemporaryDirectory() as folder:
        structures = StructureSet.create(Path(folder) / "set")
        structures.append(batch.select(np.arange(count // 2 + 1)))
        if count > count // 2 + 1:
            structures.append(batch.select(np.arange(count // 2 + 1, count)))
        assert (len(structures), structures.atoms) == (count, batch.atoms)
        assert differences(structures.load(), batch) == []
        streamed = list(structures.batches(rows))
        assert [len(each) for each in streamed[:-1]] == [rows] * (len(streamed) - 1)
        assert differences(StructureBatch.concatenate(streamed), batch) == []


def test_a_part_that_exists_is_left_alone(tmp_path: Path) -> None:
    structures = StructureSet.create(tmp_path / "set")
    first = structures.append(random_batch(3, 1), part=12)
    content = first.read_bytes()
    assert first.name == "part-000012.parquet"
    assert structures.append(random_batch(5, 2), part=12) == first
    assert first.read_bytes() == content
    assert structures.has_part(12)
    assert not structures.has_part(0)
    assert structures.append(random_batch(1, 3)).name == "part-000013.parquet"


def test_same_batch_same_bytes(tmp_path: Path) -> None:
    parts = [StructureSet.create(tmp_path / name).append(random_batch(9)) for name in ("a", "b")]
    assert parts[0].read_bytes() == parts[1].read_bytes()


def _load_or_message(structures: StructureSet) -> tuple[str, StructureBatch | None]:
    try:
        return "", structures.load()
    except InputError as error:
        return str(error), None


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_no_changed_byte_passes_for_data(tmp_path: Path, step: int) -> None:
    """Bytes of pages, their headers and the footer are changed, one at a time.

    The part is refused and named, or what is read is what was written.
    """
    batch = random_batch(2)
    structures = StructureSet.create(tmp_path / "set")
    part = structures.append(batch)
    content = part.read_bytes()
    refused = 0
    for place in range(0, len(content), step):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        part.write_bytes(changed)
        message, found = _load_or_message(structures)
        with contextlib.suppress(InputError):
            assert (len(structures), structures.atoms) == (len(batch), batch.atoms)
        assert found is None or differences(found, batch) == []
        assert found is not None or (str(part) in message and "\n" not in message)
        refused += found is None
    assert refused > len(content) // step // 2


@pytest.mark.parametrize("kept", [0, 3, 100, -1])
def test_a_truncated_part_is_named(tmp_path: Path, kept: int) -> None:
    structures = StructureSet.create(tmp_path / "set")
    part = structures.append(random_batch(3))
    part.write_bytes(part.read_bytes()[:kept])
    for use in (structures.load, lambda: len(structures), structures._repr_html_):
        with pytest.raises(InputError, match=r"part-000000\.parquet.*(empty|truncated)"):
            use()


def test_a_foreign_part_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1, 2]}), tmp_path / "part-000000.parquet")
    with pytest.raises(InputError, match=r"part-000000\.parquet: not a part of a structure set"):
        StructureSet.open(tmp_path).load()


def test_a_missing_or_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        StructureSet.open(tmp_path / "absent")
    with pytest.raises(InputError, match=r"holds no part-\*\.parquet"):
        StructureSet.open(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="a file has that name"):
        StructureSet.create(tmp_path / "file")
    with pytest.raises(InputError, match="the batch is empty"):
        StructureSet.create(tmp_path / "set").append(StructureBatch.empty())


def test_create_may_refuse_a_set_that_exists(tmp_path: Path) -> None:
    StructureSet.create(tmp_path).append(random_batch(1))
    assert len(StructureSet.create(tmp_path)) == 1
    with pytest.raises(InputError, match="exists already"):
        StructureSet.create(tmp_path, exist_ok=False)


@pytest.mark.parametrize(
    ("number", "message"), [(errno.ENOSPC, "the disk is full"), (errno.EIO, os.strerror(errno.EIO))]
)
def test_a_disk_that_refuses_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, message: str
) -> None:
    structures = StructureSet.create(tmp_path / "set")
    kept = random_batch(3)
    structures.append(kept)

    def refuse(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(WorkError, match=f"{message}.*the parts written before are kept.*same command") as caught:
        structures.append(random_batch(4))
    assert caught.value.exit_status == 1
    assert [entry.name for entry in structures.path.iterdir()] == ["part-000000.parquet"]
    assert differences(structures.load(), kept) == []


def test_what_a_killed_writer_left_is_ignored_and_removed(tmp_path: Path) -> None:
    """A writer is killed between its temporary file and the rename; one that still runs is left in peace."""
    structures = StructureSet.create(tmp_path / "set")
    structures.append(random_batch(2))
    script = (
        "import os, signal, sys; from pathlib import Path; sys.path.insert(0, sys.argv[2]);"
        "from structures.sample import random_batch; from mechlearn.structures import StructureSet;"
        "os.link = lambda *_: os.kill(os.getpid(), signal.SIGKILL);"
        "StructureSet(Path(sys.argv[1])).append(random_batch(3))"
    )
    tests = str(Path(__file__).parents[1])
    killed = subprocess.run([sys.executable, "-c", script, str(structures.path), tests], check=False)
    assert killed.returncode < 0
    own = structures.path / f".part.{os.uname().nodename}.{os.getpid()}.abc.partial"
    own.touch()
    assert len(list(structures.path.glob(".part.*"))) == 2
    assert len(structures) == 2
    assert len(StructureSet.create(structures.path).load()) == 2
    assert list(structures.path.glob(".part.*")) == [own]


MEMORY = """
import sys
from mechlearn.structures import StructureSet

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

small, large = (StructureSet.open(path) for path in sys.argv[1:3])
small.load()
before = peak()
if sys.argv[3] == "load":
    whole = large.load()
else:
    assert sum(len(batch) for batch in large.batches(500)) == len(large)
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs the peak memory that Linux tells")
@pytest.mark.parametrize(("way", "times"), [("load", 2.0), ("stream", 0.5)])
def test_reading_takes_no_more_than_twice_the_size_on_disk(tmp_path: Path, way: str, times: float) -> None:
    """20,000 structures in parts of 1,000; streaming takes what one batch does, however large the set."""
    rng = np.random.default_rng(5)
    large = StructureSet.create(tmp_path / "large")
    for _ in range(20):
        atoms = 32_000
        batch = StructureBatch.from_arrays(
            rng.random((atoms, 3)), rng.random((1000, 3, 3)), np.full(atoms, 74, dtype=np.int32), [32] * 1000,
            energies=rng.random(1000), forces=rng.random((atoms, 3)), stresses=rng.random((1000, 6)),
            groups=["bcc"] * 1000, names=[f"{index:07d}" for index in range(1000)],
        )  # fmt: skip
        large.append(batch)
    small = StructureSet.create(tmp_path / "small")
    small.append(batch)
    told = subprocess.run(
        [sys.executable, "-c", MEMORY, str(small.path), str(large.path), way],
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(told.stdout) < times * sum(part.stat().st_size for part in large.parts)


def test_two_writers_never_replace_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    structures = StructureSet.create(tmp_path / "set")
    structures.append(random_batch(2, 1))
    monkeypatch.setattr(StructureSet, "_next_index", lambda self: 0)
    assert structures.append(random_batch(3, 2)).name == "part-000001.parquet"
    assert len(structures) == 5


def test_any_parquet_reader_can_query_it(tmp_path: Path) -> None:
    batch = random_batch(8)
    table = pq.read_table(StructureSet.create(tmp_path / "set").append(batch))
    assert table.column("group").to_pylist() == list(batch.groups)
    assert np.sum(table.column("energy").is_null()) == np.isnan(batch.energies).sum()
    assert np.array_equal(table.column("positions")[0].as_py(), batch.positions[: batch.sizes[0]].ravel())


def test_a_set_shows_itself_as_a_table_of_groups(tmp_path: Path) -> None:
    structures = StructureSet.create(tmp_path / "set")
    structures.append(random_batch(6))
    shown = structures._repr_html_()
    assert "<td>bcc</td><td>2</td>" in shown
    assert "6 structures" in shown
