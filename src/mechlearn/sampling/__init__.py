"""Making training sets and comparing them: expert-curated groups, diversity."""

from mechlearn.sampling.diversity import SetComparison, SetProfile, compare_sets
from mechlearn.sampling.entropy import EntropyPotential, RepulsiveCore
from mechlearn.sampling.expert import EXPERT_GROUPS, ExpertGroup, expert_structures
from mechlearn.sampling.expert_crystal import Crystal
from mechlearn.sampling.expert_dynamics import LangevinSettings
from mechlearn.sampling.generator import GenerationSettings, generate, generate_structures, random_cell
from mechlearn.sampling.relaxation import AnnealingSchedule, FireSettings, anneal, minimise

__all__ = [
    "EXPERT_GROUPS",
    "AnnealingSchedule",
    "Crystal",
    "EntropyPotential",
    "ExpertGroup",
    "FireSettings",
    "GenerationSettings",
    "LangevinSettings",
    "RepulsiveCore",
    "SetComparison",
    "SetProfile",
    "anneal",
    "compare_sets",
    "expert_structures",
    "generate",
    "generate_structures",
    "minimise",
    "random_cell",
]
