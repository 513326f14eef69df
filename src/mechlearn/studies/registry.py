"""The studies there are; each loads when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, Final

from mechlearn.errors import InputError
from mechlearn.studies.configuration import suggestion
from mechlearn.studies.study import Study

#: Where each study is: ``module:name``.
STUDIES: Final[dict[str, str]] = {
    "equation_discovery": "mechlearn.studies.equation_discovery:STUDY",
    "shear_transformation": "mechlearn.studies.shear_transformation:STUDY",
    "transferability": "mechlearn.studies.transferability:STUDY",
}


def find_study(name: str) -> Study[Any]:
    """The study of that name.

    Raises
    ------
    InputError
        There is none; the message suggests the nearest.
    """
    if name not in STUDIES:
        raise InputError(f"no study {name!r}; {suggestion(name, STUDIES)} (see: mechlearn study list)")
    module, attribute = STUDIES[name].split(":")
    study: Study[Any] = getattr(importlib.import_module(module), attribute)
    return study


def all_studies() -> Iterator[Study[Any]]:
    """Every study there is, by name."""
    return (find_study(name) for name in sorted(STUDIES))
