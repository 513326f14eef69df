"""Slip systems of crystals, and the interactions between them that symmetry and data leave."""

from mechlearn.crystals.interaction_fit import InteractionFit, InteractionSettings, fit_storage, fit_strength
from mechlearn.crystals.interactions import (
    FCC_INTERACTIONS,
    Orbits,
    fcc_interaction_names,
    independent_entries,
    interaction_orbits,
    symmetry_projector,
)
from mechlearn.crystals.lasso import LassoPath, LassoSettings
from mechlearn.crystals.plasticity import (
    InteractionLaw,
    LoadingSettings,
    SlipHistories,
    planted_law,
    taylor_histories,
)
from mechlearn.crystals.slip import FAMILIES, SlipFamily, SlipSystems, point_group, slip_systems
from mechlearn.crystals.taylor import taylor_slip

__all__ = [
    "FAMILIES",
    "FCC_INTERACTIONS",
    "InteractionFit",
    "InteractionLaw",
    "InteractionSettings",
    "LassoPath",
    "LassoSettings",
    "LoadingSettings",
    "Orbits",
    "SlipFamily",
    "SlipHistories",
    "SlipSystems",
    "fcc_interaction_names",
    "fit_storage",
    "fit_strength",
    "independent_entries",
    "interaction_orbits",
    "planted_law",
    "point_group",
    "slip_systems",
    "symmetry_projector",
    "taylor_histories",
    "taylor_slip",
]
