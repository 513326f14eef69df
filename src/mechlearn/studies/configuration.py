"""The settings of a study: presets, TOML files over them, and messages that name the key that is wrong."""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mechlearn.errors import InputError


class StudyConfig(BaseModel):
    """What every study's settings have: a seed, no unknown keys, no change after they are made.

    Attributes
    ----------
    seed : int
        All that is random in the study follows from it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(default=0, ge=0)

    def to_toml(self) -> str:
        """The settings as TOML; what is None is left out, since TOML has no word for it."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))

    def fingerprint(self) -> str:
        """A hash of all settings: equal for equal settings, on every machine.

        Examples
        --------
        >>> StudyConfig(seed=1).fingerprint() == StudyConfig(seed=1).fingerprint()
        True
        >>> StudyConfig(seed=1).fingerprint() == StudyConfig(seed=2).fingerprint()
        False
        """
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


Config = TypeVar("Config", bound=StudyConfig)


def suggestion(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown word: the nearest known one, else all of them.

    Examples
    --------
    >>> suggestion("transferibility", ["transferability"])
    "did you mean 'transferability'?"
    >>> suggestion("x", ["quick", "paper"])
    'known: quick, paper'
    """
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    InputError
        The file is missing, or is not TOML (the message has the line).
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"reading {path}: no such file; give the path of a TOML file") from None
    except IsADirectoryError:
        raise InputError(f"reading {path}: it is a folder; give the path of a TOML file") from None
    except ValueError as error:
        raise InputError(f"reading {path}: not TOML: {error}") from None


def override(base: Config, changes: Mapping[str, Any], *, source: str) -> Config:
    """The settings of ``base`` with ``changes`` over them, tables merged key by key.

    Parameters
    ----------
    base : StudyConfig
        A preset.
    changes : mapping
        Keys of the settings, as a TOML file has them.
    source : str
        Where the changes come from, for the message: a file's name, or the option's.

    Raises
    ------
    InputError
        A key that the settings do not have (the nearest is suggested), or a value that does not fit.

    Examples
    --------
    >>> override(StudyConfig(), {"seeed": 3}, source="my.toml")
    Traceback (most recent call last):
    mechlearn.errors.InputError: reading my.toml: unknown key 'seeed'; did you mean 'seed'?
    """
    merged = _merged(base.model_dump(exclude_unset=False), changes)
    try:
        return type(base).model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = _fields_at(type(base), first["loc"][:-1])
            hint = suggestion(str(first["loc"][-1]), known)
            raise InputError(f"reading {source}: unknown key {key!r}; {hint}") from None
        found = f", found {first['input']!r}" if first["type"] != "missing" else ""
        reason = first["msg"][:1].lower() + first["msg"][1:]
        raise InputError(f"reading {source}: key {key!r}: {reason}{found}") from None


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The fields of the model that an error's location leads to, through nested models and lists of them."""
    for part in location:
        if isinstance(part, int) or part not in model.model_fields:
            continue
        annotation = model.model_fields[part].annotation
        candidates = [annotation, *get_args(annotation)]
        model = next((one for one in candidates if isinstance(one, type) and issubclass(one, BaseModel)), model)
    return list(model.model_fields)
