"""Metallic glasses: how they are prepared, sheared and labelled, and what tells where they yield."""

from mechlearn.glasses.crystallinity import crystalline_atoms
from mechlearn.glasses.events import CriticalMode, PlasticEvent, critical_mode
from mechlearn.glasses.feature_table import Feature, FeatureTable
from mechlearn.glasses.features import AtomicProperties, FeatureSettings, atomic_properties, node_features
from mechlearn.glasses.glass_recipe import KOB_ANDERSEN, GlassModel, GlassRecipe, Liquid, Quench, Swaps
from mechlearn.glasses.labels import TransformedGroup, first_groups, transformed_group
from mechlearn.glasses.loading_frame import loading_frame
from mechlearn.glasses.mechanism import NonaffineResponse, mechanism_features, nonaffine_response
from mechlearn.glasses.minimisation import MinimisationSettings, Minimum, minimise
from mechlearn.glasses.modes import Modes, lowest_modes
from mechlearn.glasses.nonaffine import CONVENTIONS, LocalDeformation, local_deformation, nonaffine_squares
from mechlearn.glasses.preparation import PreparedGlass, prepare_glass, prepare_glasses
from mechlearn.glasses.quasistatic_shear import SENSES, ShearPath, ShearSettings, ShearState, ShearStep, shear
from mechlearn.glasses.voronoi import VoronoiCells, voronoi_cells

__all__ = [
    "CONVENTIONS",
    "KOB_ANDERSEN",
    "SENSES",
    "AtomicProperties",
    "CriticalMode",
    "Feature",
    "FeatureSettings",
    "FeatureTable",
    "GlassModel",
    "GlassRecipe",
    "Liquid",
    "LocalDeformation",
    "MinimisationSettings",
    "Minimum",
    "Modes",
    "NonaffineResponse",
    "PlasticEvent",
    "PreparedGlass",
    "Quench",
    "ShearPath",
    "ShearSettings",
    "ShearState",
    "ShearStep",
    "Swaps",
    "TransformedGroup",
    "VoronoiCells",
    "atomic_properties",
    "critical_mode",
    "crystalline_atoms",
    "first_groups",
    "loading_frame",
    "local_deformation",
    "lowest_modes",
    "mechanism_features",
    "minimise",
    "node_features",
    "nonaffine_response",
    "nonaffine_squares",
    "prepare_glass",
    "prepare_glasses",
    "shear",
    "transformed_group",
    "voronoi_cells",
]
