"""The work of the study of equations in independent pieces, so that any number of workers shares it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from mechlearn.studies.equation_discovery_config import EquationDiscoveryConfig, Part
from mechlearn.studies.equation_discovery_coordinates import look_for_coordinates
from mechlearn.studies.equation_discovery_crystals import look_at_crystal
from mechlearn.studies.equation_discovery_fields import look, sources
from mechlearn.studies.equation_discovery_laws import look_at_law
from mechlearn.studies.plan import one_thread


@dataclass(frozen=True)
class Piece:
    """One piece of work.

    Attributes
    ----------
    part : str
        What it belongs to.
    kind : str
        Pieces of one kind cost about the same.
    name : str
        That of its stage; unlike all others.
    work : callable
        Does it, and gives its result.
    """

    part: Part
    kind: str
    name: str
    work: Callable[[], Mapping[str, Any]]


def pieces(config: EquationDiscoveryConfig, models: str = "") -> list[Piece]:
    """All pieces, the longest kinds first, so that no worker is left alone with them at the end.

    Parameters
    ----------
    config
        The settings.
    models
        The folder in which networks are kept while they are trained.
    """
    return [
        *_coordinate_pieces(config, models),
        *_crystal_pieces(config),
        *_law_pieces(config),
        *_field_pieces(config),
    ]


def do_piece(config: EquationDiscoveryConfig, models: str, index: int) -> Mapping[str, Any]:
    """Do one piece, with one thread: the last bits of a sum depend on how many share it."""
    with one_thread():
        return pieces(config, models)[index].work()


def _coordinate_pieces(config: EquationDiscoveryConfig, models: str) -> list[Piece]:
    if not config.does("coordinates"):
        return []
    return [
        Piece(
            "coordinates",
            system,
            f"coordinates-{system}",
            partial(look_for_coordinates, system, config.coordinate_size, config.seed, models),
        )
        for system in config.coordinates
    ]


def _crystal_pieces(config: EquationDiscoveryConfig) -> list[Piece]:
    if not config.does("interactions"):
        return []
    return [
        Piece(
            "interactions",
            f"{plan.lattice} crystals",
            f"crystal-{number}-{plan.lattice}-{draw}",
            partial(look_at_crystal, plan, draw, config.seed, config.resamples),
        )
        for number, plan in enumerate(config.crystals)
        for draw in range(plan.draws)
    ]


def _law_pieces(config: EquationDiscoveryConfig) -> list[Piece]:
    if not config.does("symmetry"):
        return []
    return [
        Piece(
            "symmetry",
            plan.name,
            f"law-{number}-{plan.name.replace(' ', '-')}-{draw}",
            partial(look_at_law, plan, draw, config.seed, config.resamples),
        )
        for number, plan in enumerate(config.laws)
        for draw in range(plan.draws)
    ]


def _field_pieces(config: EquationDiscoveryConfig) -> list[Piece]:
    return [
        Piece(
            "fields",
            source.plan.name,
            f"field-{number}-{source.stamp}-{noise:g}-{draw}",
            partial(look, source, noise, draw, config),
        )
        for number, source in enumerate(sources(config))
        for noise in source.noises
        for draw in range(source.draws(noise))
    ]
