"""The command line as a user meets it: words in; a status and two streams out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from mechlearn.cli.main import run


@dataclass(frozen=True)
class Outcome:
    """What a command left in the terminal."""

    status: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line of an error, after asserting that it is one line and that nothing else was printed."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("mechlearn: ")
        return lines[0]


@pytest.fixture
def mechlearn(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run ``mechlearn`` with the words given."""

    def command(*words: object) -> Outcome:
        capsys.readouterr()
        status = run([str(word) for word in words])
        streams = capsys.readouterr()
        return Outcome(status, streams.out, streams.err)

    return command
