"""Studies: one question each, from structures to a report, in a folder that can be taken up again."""

from mechlearn.studies.configuration import StudyConfig
from mechlearn.studies.context import StudyContext
from mechlearn.studies.registry import all_studies, find_study
from mechlearn.studies.study import Preset, Study, run_study

__all__ = ["Preset", "Study", "StudyConfig", "StudyContext", "all_studies", "find_study", "run_study"]
