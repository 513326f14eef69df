"""Metallic glasses: how they are prepared, sheared and labelled, and what tells where they yield."""

from mechlearn.glasses.description.feature_campaign import (
    MECHANISM_FEATURES,
    PAPER_FEATURES,
    FeatureFolder,
    feature_runs,
    paper_features,
)
from mechlearn.glasses.description.feature_table import Feature, FeatureTable
from mechlearn.glasses.description.features import AtomicProperties, FeatureSettings, atomic_properties, node_features
from mechlearn.glasses.description.imminence import Imminences, imminences
from mechlearn.glasses.description.interstices import interstice_features, metallic_radii
from mechlearn.glasses.description.mechanism import mechanism_features
from mechlearn.glasses.description.modes import Modes, lowest_modes
from mechlearn.glasses.description.nonlinear_modes import PlasticModes, plastic_modes
from mechlearn.glasses.description.response import NonaffineResponse, nonaffine_response
from mechlearn.glasses.description.voronoi import VoronoiCells, voronoi_cells
from mechlearn.glasses.loading.events import CriticalMode, PlasticEvent, critical_mode
from mechlearn.glasses.loading.labels import TransformedGroup, first_groups, transformed_group
from mechlearn.glasses.loading.loading_axes import loading_frame
from mechlearn.glasses.loading.nonaffine import CONVENTIONS, LocalDeformation, local_deformation, nonaffine_squares
from mechlearn.glasses.loading.quasistatic_shear import SENSES, ShearPath, ShearSettings, ShearState, ShearStep, shear
from mechlearn.glasses.loading.shear_campaign import shear_glasses
from mechlearn.glasses.loading.shear_runs import ShearRun, ShearRuns, read_run, specimen_key, write_run
from mechlearn.glasses.named_potentials import feature_settings_for, glass_potential, shear_settings_for, units_for
from mechlearn.glasses.prediction.cross_validation import CandidateScores, CrossValidation, Fold
from mechlearn.glasses.prediction.event_data import EventData, EventGraph
from mechlearn.glasses.prediction.event_models import EventModel, fit_event_model, load_event_model, score_models
from mechlearn.glasses.prediction.event_settings import ModelSettings
from mechlearn.glasses.prediction.maps import confidence_map, write_maps
from mechlearn.glasses.prediction.model_selection import (
    PAPER_GRID,
    cross_validate,
    folds_by_specimen,
    grid,
    held_out_confidences,
    imbalance_treatments,
)
from mechlearn.glasses.quench.crystallinity import crystalline_atoms
from mechlearn.glasses.quench.glass_recipe import (
    KOB_ANDERSEN,
    CoolingLeg,
    GlassModel,
    GlassRecipe,
    Liquid,
    Quench,
    Swaps,
)
from mechlearn.glasses.quench.preparation import PreparedGlass, prepare_glass, prepare_glasses
from mechlearn.glasses.quench.swaps import Swapped, swap_unlike_atoms
from mechlearn.glasses.rest.box_relaxation import RelaxedCell, relax_cell
from mechlearn.glasses.rest.minimisation import MinimisationSettings, Minimum, minimise

__all__ = [
    "CONVENTIONS",
    "KOB_ANDERSEN",
    "MECHANISM_FEATURES",
    "PAPER_FEATURES",
    "PAPER_GRID",
    "SENSES",
    "AtomicProperties",
    "CandidateScores",
    "CoolingLeg",
    "CriticalMode",
    "CrossValidation",
    "EventData",
    "EventGraph",
    "EventModel",
    "Feature",
    "FeatureFolder",
    "FeatureSettings",
    "FeatureTable",
    "Fold",
    "GlassModel",
    "GlassRecipe",
    "Imminences",
    "Liquid",
    "LocalDeformation",
    "MinimisationSettings",
    "Minimum",
    "ModelSettings",
    "Modes",
    "NonaffineResponse",
    "PlasticEvent",
    "PlasticModes",
    "PreparedGlass",
    "Quench",
    "RelaxedCell",
    "ShearPath",
    "ShearRun",
    "ShearRuns",
    "ShearSettings",
    "ShearState",
    "ShearStep",
    "Swapped",
    "Swaps",
    "TransformedGroup",
    "VoronoiCells",
    "atomic_properties",
    "confidence_map",
    "critical_mode",
    "cross_validate",
    "crystalline_atoms",
    "feature_runs",
    "feature_settings_for",
    "first_groups",
    "fit_event_model",
    "folds_by_specimen",
    "glass_potential",
    "grid",
    "held_out_confidences",
    "imbalance_treatments",
    "imminences",
    "interstice_features",
    "load_event_model",
    "loading_frame",
    "local_deformation",
    "lowest_modes",
    "mechanism_features",
    "metallic_radii",
    "minimise",
    "node_features",
    "nonaffine_response",
    "nonaffine_squares",
    "paper_features",
    "plastic_modes",
    "prepare_glass",
    "prepare_glasses",
    "read_run",
    "relax_cell",
    "score_models",
    "shear",
    "shear_glasses",
    "shear_settings_for",
    "specimen_key",
    "swap_unlike_atoms",
    "transformed_group",
    "units_for",
    "voronoi_cells",
    "write_maps",
    "write_run",
]
