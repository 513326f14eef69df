"""Making training sets and comparing them: expert-curated groups, diversity."""

from mechlearn.sampling.diversity import SetComparison, SetProfile, compare_sets
from mechlearn.sampling.expert import EXPERT_GROUPS, ExpertGroup, expert_structures
from mechlearn.sampling.expert_crystal import Crystal
from mechlearn.sampling.expert_dynamics import LangevinSettings

__all__ = [
    "EXPERT_GROUPS",
    "Crystal",
    "ExpertGroup",
    "LangevinSettings",
    "SetComparison",
    "SetProfile",
    "compare_sets",
    "expert_structures",
]
