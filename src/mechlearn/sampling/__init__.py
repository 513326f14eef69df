"""Making training sets and comparing them: expert-curated groups, diversity."""

from mechlearn.engines.structure_sets import Maker, make_set
from mechlearn.sampling.disturbance import Disturbance, disturbed
from mechlearn.sampling.diversity import SetComparison, SetProfile, compare_sets
from mechlearn.sampling.entropy import EntropyPotential, RepulsiveCore
from mechlearn.sampling.expert import EXPERT_GROUPS, ExpertGroup, expert_structures
from mechlearn.sampling.expert_crystal import Crystal
from mechlearn.sampling.expert_dynamics import LangevinSettings
from mechlearn.sampling.generator import GenerationSettings, Recipe, generate_structures, random_cell
from mechlearn.sampling.relaxation import AnnealingSchedule, FireSettings, anneal, minimise
from mechlearn.sampling.sets import expert_set, generate, label_set

__all__ = [
    "EXPERT_GROUPS",
    "AnnealingSchedule",
    "Crystal",
    "Disturbance",
    "EntropyPotential",
    "ExpertGroup",
    "FireSettings",
    "GenerationSettings",
    "LangevinSettings",
    "Maker",
    "Recipe",
    "RepulsiveCore",
    "SetComparison",
    "SetProfile",
    "anneal",
    "compare_sets",
    "disturbed",
    "expert_set",
    "expert_structures",
    "generate",
    "generate_structures",
    "label_set",
    "make_set",
    "minimise",
    "random_cell",
]
