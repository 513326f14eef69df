"""Ctrl-C where compiled code and callbacks would lose it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_noted() -> Iterator[threading.Event]:
    """Note Ctrl-C inside a ``with`` block, and raise it when the block is left.

    For blocks in which foreign code calls back into Python: an exception raised in such a call is swallowed.
    A second Ctrl-C is not noted but raised.  Where Ctrl-C is ignored, or outside the main thread, nothing changes.

    Yields
    ------
    threading.Event
        Set once Ctrl-C was pressed; the work in the block should then end soon.

    Raises
    ------
    KeyboardInterrupt
        On leaving the block, if Ctrl-C was pressed in it.

    Examples
    --------
    >>> with interrupts_noted() as interrupted:
    ...     interrupted.is_set()
    False
    """
    noted = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield noted
        return

    def note(number: int, frame: FrameType | None) -> None:
        if noted.is_set():
            before(number, frame)
        noted.set()

    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)
        if noted.is_set():
            raise KeyboardInterrupt
