"""A study: one question, answered end to end by one command, in a folder that can be taken up again.

The folder holds ``config.toml`` (the resolved settings), ``results.json`` (every figure), ``data/``,
``models/``, ``run.log``, and what else the study writes, such as ``report.html``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

from mechlearn import __version__
from mechlearn.errors import InputError
from mechlearn.records import differences, plain, remove_leftovers, write_atomically, write_json
from mechlearn.studies.configuration import Config, override, read_toml, suggestion
from mechlearn.studies.context import StudyContext, run_log
from mechlearn.studies.plan import Plan

logger = logging.getLogger("mechlearn.study")


@dataclass(frozen=True)
class Preset(Generic[Config]):
    """Settings for a study, and what running them costs.

    Attributes
    ----------
    config : StudyConfig
        The settings.
    cost : str
        Time and disk in plain words (``"4 minutes on 2 cores"``), shown before the study starts.
    """

    config: Config
    cost: str


def no_check(config: Any) -> None:
    """Nothing to look at before the study starts."""


def no_summary(results: Mapping[str, Any]) -> str:
    """Nothing to say beyond the files."""
    return ""


@dataclass(frozen=True)
class Study(Generic[Config]):
    """One question and the way to its answer.

    Attributes
    ----------
    name : str
        The name on the command line.
    question : str
        What is asked, in one sentence.
    config_type : type
        The study's settings, a :class:`~mechlearn.studies.configuration.StudyConfig`.
    presets : mapping of str to Preset
        Named settings, the cheapest first; the first is the default.
    run : callable
        ``run(config, context)`` does the work, or what is left of it, and gives the results.
    summarise : callable
        ``summarise(results)`` is what a person reads in the terminal at the end.
    plan : callable or None
        ``plan(config, workers)`` times a sample of the work, and tells what all of it will cost.
    check : callable
        ``check(config)`` refuses input that cannot be used, before anything is written.
    """

    name: str
    question: str
    config_type: type[Config]
    presets: Mapping[str, Preset[Config]]
    run: Callable[[Config, StudyContext], Mapping[str, Any]]
    summarise: Callable[[Mapping[str, Any]], str] = no_summary
    plan: Callable[[Config, int], Plan] | None = None
    check: Callable[[Config], None] = no_check

    def preset(self, name: str | None = None) -> Preset[Config]:
        """The preset of that name, the first where none is given.

        Raises
        ------
        InputError
            There is no preset of that name.
        """
        name = next(iter(self.presets)) if name is None else name
        if name not in self.presets:
            raise InputError(f"study {self.name}: no preset {name!r}; {suggestion(name, self.presets)}")
        return self.presets[name]

    def cost(self, config: Config) -> str:
        """What running these settings costs, in plain words: that of the preset they are, whatever their seed.

        Empty where they are those of no preset.
        """
        seed = {"seed": config.seed}
        same = (preset.cost for preset in self.presets.values() if preset.config.model_copy(update=seed) == config)
        return next(same, "")

    def configure(
        self,
        preset: str | None = None,
        file: Path | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Config:
        """Resolve the settings: a preset, the keys of a TOML file over it, single options over both.

        A ``config.toml`` that a study left behind is such a file.

        Raises
        ------
        InputError
            An unknown preset or key, a value that does not fit, a file of another study.
        """
        config = self.preset(preset).config
        if file is not None:
            changes = read_toml(file)
            owner = changes.pop("study", self.name)
            if owner != self.name:
                raise InputError(f"reading {file}: settings of the study {owner!r}, not of {self.name!r}")
            config = override(config, changes, source=str(file))
        for key, value in (options or {}).items():
            if key not in self.config_type.model_fields:
                raise InputError(f"study {self.name}: it has no option --{key}; see its settings with --dry-run")
            config = override(config, {key: value}, source=f"the option --{key}")
        return config


def run_study(
    study: Study[Config],
    config: Config,
    out: Path,
    *,
    workers: int = 1,
    scheduler: str | None = None,
) -> dict[str, Any]:
    """Run a study in a folder, or go on with it there; what is done is not done again.

    Parameters
    ----------
    study : Study
        What to run.
    config : StudyConfig
        Its settings, seed included.
    out : Path
        The folder; made where it does not exist.
    workers : int
        How many processes may work at once; the results do not depend on it.
    scheduler : str, optional
        The address of a Dask scheduler.

    Returns
    -------
    dict
        The results, as written to ``results.json``.

    Raises
    ------
    InputError
        The folder holds something else: another study, other settings, or files of another kind; or the input cannot
        be used.
    """
    from mechlearn.engines import executor

    study.check(config)
    claim_folder(study, config, out)
    remove_leftovers(out)
    with run_log(out / "run.log"), executor(workers, scheduler) as pool:
        # The folder in full: a worker on another machine works in another one.
        context = StudyContext(out.resolve(), config.seed, workers, scheduler, config.fingerprint(), pool)
        logger.info("mechlearn %s, study %s, seed %d, %d workers", __version__, study.name, config.seed, workers)
        try:
            results: dict[str, Any] = plain(study.run(config, context))
        except BaseException as error:
            logger.warning("stopped by %s: %s", type(error).__name__, error)
            raise
        write_json(out / "results.json", results)
        logger.info("done")
    return results


def claim_folder(study: Study[Config], config: Config, out: Path) -> None:
    """Make the folder a run's own, or find that it already belongs to this very run.

    Raises
    ------
    InputError
        The folder holds another study or other settings (the message says what differs), or other files.
    """
    text = f'study = "{study.name}"\n{config.to_toml()}'
    resolved = out / "config.toml"
    if out.exists() and not out.is_dir():
        raise InputError(f"writing to {out}: it is a file; give a folder with --out")
    if resolved.exists():
        theirs = read_toml(resolved)
        ours = {"study": study.name, **config.model_dump(mode="json", exclude_none=True)}
        if unlike := differences(theirs, ours):
            shown = "; ".join(unlike[:3]) + (f"; and {len(unlike) - 3} more" if len(unlike) > 3 else "")
            raise InputError(
                f"writing to {out}: it holds a run with other settings ({shown}); "
                "give another --out, or the same settings"
            )
        return
    if out.is_dir() and any(not entry.name.startswith(".") for entry in out.iterdir()):
        raise InputError(
            f"writing to {out}: it holds files that are not a study's; give a new or empty folder with --out"
        )
    write_atomically(resolved, text.encode())
