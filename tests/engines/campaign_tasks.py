"""Tasks for the tests of campaigns, importable by fresh processes."""

from __future__ import annotations

import os
import time
from pathlib import Path

from mechlearn.errors import InputError


def square(index: int) -> int:
    return index * index


def fail_at_three(index: int) -> int:
    if index == 3:
        raise ValueError("three is not allowed")
    return index


def refuse(index: int) -> int:
    raise InputError("reading something: it is not there")


def die(index: int) -> int:
    os._exit(9)


def threads(index: int) -> tuple[int, str]:
    import numpy as np  # noqa: F401
    from threadpoolctl import threadpool_info

    return max((library["num_threads"] for library in threadpool_info()), default=1), os.environ["OMP_NUM_THREADS"]


def write_slowly(folder: str, index: int) -> str:
    """Write ``folder/index`` by way of a temporary file that takes a while."""
    path = Path(folder) / str(index)
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text("half")
    time.sleep(0.4)
    unfinished.write_text(f"{index} whole")
    unfinished.rename(path)
    return path.name
