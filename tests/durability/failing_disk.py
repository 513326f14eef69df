"""A disk that fails at the N-th write, flush or rename, as SQLite's own tests have one."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch


class Failure(StrEnum):
    """What happens at the N-th operation."""

    NONE = "none"
    #: The operation is refused, with these errors; the program goes on.
    FULL = "ENOSPC"
    BROKEN = "EIO"
    #: The process ends there; what it wrote stays.
    KILLED = "killed"
    #: The machine ends there: what was written and not flushed is lost, and so are names given and not flushed.
    POWER_CUT = "power cut"


class Stopped(BaseException):
    """The process is no more; whatever it would still do has no effect."""


@dataclass
class FailingDisk:
    """Counts the operations on files below ``folder`` and lets number ``fail_at`` fail, counted from 1.

    Attributes
    ----------
    operations
        What was done, in order.
    """

    folder: Path
    failure: Failure = Failure.NONE
    fail_at: int = 0
    operations: list[str] = field(default_factory=list)
    stopped: bool = False
    _unflushed: dict[int, int] = field(default_factory=dict)
    _undo_names: list[Callable[[], object]] = field(default_factory=list)

    def reach(self, operation: str) -> None:
        """Go on to the next operation, or fail there."""
        if self.stopped:
            raise Stopped
        self.operations.append(operation)
        if len(self.operations) != self.fail_at:
            return
        if self.failure in (Failure.FULL, Failure.BROKEN):
            number = getattr(errno, self.failure.value)
            raise OSError(number, os.strerror(number))
        if self.failure is Failure.POWER_CUT:
            self._lose_what_is_not_flushed()
        self.stopped = True
        raise Stopped

    def owns(self, path: Any) -> bool:
        """Whether the path is of this disk."""
        return Path(os.fspath(path)).is_relative_to(self.folder)

    def written(self, descriptor: int) -> None:
        """A file holds what a power cut would lose."""
        inode = os.fstat(descriptor).st_ino
        if inode not in self._unflushed:
            self._unflushed[inode] = os.dup(descriptor)

    def flushed(self, descriptor: int) -> None:
        """A file or a folder is safe."""
        state = os.fstat(descriptor)
        if stat.S_ISDIR(state.st_mode):
            self._undo_names.clear()
        elif state.st_ino in self._unflushed:
            os.close(self._unflushed.pop(state.st_ino))

    def named(self, target: Path, before: bytes | None) -> None:
        """A file got a name that a power cut would take from it."""
        self._undo_names.append(partial(_restore, target, before))

    def _lose_what_is_not_flushed(self) -> None:
        for descriptor in self._unflushed.values():
            os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
        while self._undo_names:
            self._undo_names.pop()()

    def close(self) -> None:
        """Let go of the files."""
        for descriptor in self._unflushed.values():
            os.close(descriptor)


def _restore(path: Path, content: bytes | None) -> None:
    path.unlink()
    if content is not None:
        # Not the path's own method, which would go through the failing disk.
        with open(path, "wb") as stream:
            stream.write(content)


class _File(io.FileIO):
    """A file of a failing disk; a write that fails has written half."""

    def __init__(self, path: Any, mode: str, disk: FailingDisk) -> None:
        disk.reach("open")
        super().__init__(path, mode.replace("b", ""))
        self._disk = disk

    def write(self, data: Any, /) -> int:
        try:
            self._disk.reach("write")
        except BaseException:
            super().write(bytes(data)[: len(data) // 2])
            raise
        count = super().write(data)
        self._disk.written(self.fileno())
        return count


@contextmanager
def failing_disk(folder: Path, failure: Failure = Failure.NONE, fail_at: int = 0) -> Iterator[FailingDisk]:
    """Let what this process does to files below ``folder`` go through a disk that fails."""
    disk = FailingDisk(folder, failure, fail_at)
    real_open, real_fsync, real_unlink = io.open, os.fsync, os.unlink
    real = {"link": os.link, "rename": os.rename, "replace": os.replace}

    def open_(path: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
        if isinstance(path, int) or not disk.owns(path) or not set(mode) & set("wxa+"):
            return real_open(path, mode, *rest, **options)
        return io.BufferedWriter(_File(path, mode, disk))

    def fsync(descriptor: int) -> None:
        disk.reach("fsync")
        real_fsync(descriptor)
        disk.flushed(descriptor)

    def unlink(path: Any, **options: Any) -> None:
        if disk.stopped:
            raise Stopped
        real_unlink(path, **options)

    def naming(name: str) -> Callable[..., None]:
        def give(source: Any, target: Any, **options: Any) -> None:
            disk.reach(name)
            target = Path(target)
            before = target.read_bytes() if target.exists() else None
            real[name](source, target, **options)
            disk.named(target, before)

        return give

    with (
        patch("io.open", open_),
        patch("os.fsync", fsync),
        patch("os.unlink", unlink),
        patch("os.link", naming("link")),
        patch("os.rename", naming("rename")),
        patch("os.replace", naming("replace")),
    ):
        try:
            yield disk
        finally:
            disk.close()
