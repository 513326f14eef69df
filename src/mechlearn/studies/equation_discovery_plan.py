"""What the study of equations will cost: one search of every kind timed, on one core."""

from __future__ import annotations

import time
from functools import partial
from typing import Final

from mechlearn.studies.equation_discovery_config import EquationDiscoveryConfig
from mechlearn.studies.equation_discovery_coordinates import look_for_coordinates
from mechlearn.studies.equation_discovery_work import Piece, pieces
from mechlearn.studies.plan import Plan, StagePlan, one_thread, seconds

#: What a search leaves on disk.
_BYTES: Final = 2e5
#: Networks are timed for these shares of their epochs.
_SHARES: Final = (0.02, 0.06)


def plan_study(config: EquationDiscoveryConfig, workers: int) -> Plan:
    """Time the last search of every kind, and scale it to their number.

    Parameters
    ----------
    config
        The settings.
    workers
        How many work side by side.
    """
    start = time.perf_counter()
    kinds: dict[tuple[str, str], list[Piece]] = {}
    for piece in pieces(config):
        kinds.setdefault((piece.part, piece.kind), []).append(piece)
    with one_thread():
        stages = tuple(_stage(config, work) for work in kinds.values())
    return Plan(stages, workers, time.perf_counter() - start)


def _stage(config: EquationDiscoveryConfig, work: list[Piece]) -> StagePlan:
    sample = work[-1]
    if sample.part == "coordinates":
        each, told = _time_coordinates(config, sample.kind), f"{_SHARES[0]:.0%} and {_SHARES[1]:.0%} of the epochs"
    else:
        each, told = seconds(sample.work), sample.name
    return StagePlan(
        f"{sample.part}: {sample.kind}", len(work), each * len(work), each, _BYTES * len(work), f"{told}: {each:.1f} s"
    )


def _time_coordinates(config: EquationDiscoveryConfig, system: str) -> float:
    """Two searches that differ in their epochs tell what all epochs take, and what a search takes at least."""
    short, long = (
        seconds(partial(look_for_coordinates, system, config.coordinate_size, config.seed, "", share))
        for share in _SHARES
    )
    return short + max(long - short, 0.0) / (_SHARES[1] - _SHARES[0]) * (1 - _SHARES[0])
