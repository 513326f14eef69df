"""``mechlearn study``: questions answered end to end, each by one command."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from mechlearn.cli.help import Command, Group
from mechlearn.cli.output import (
    JsonOption,
    SchedulerOption,
    WorkersOption,
    available_workers,
    existing,
    say,
    show,
    show_json,
)

app = typer.Typer(cls=Group, help="Questions answered end to end, from data to a report.", no_args_is_help=True)


@app.command("list", cls=Command, epilog="Example: mechlearn study list")
def list_studies(as_json: JsonOption = False) -> None:
    """Show the studies there are: name, question, presets and what they cost."""
    from mechlearn.studies import all_studies

    studies = list(all_studies())
    if as_json:
        show_json({"studies": [_entry(study) for study in studies]})
        return
    for study in studies:
        show(f"{study.name}: {study.question}")
        for name, preset in study.presets.items():
            show(f"    --preset {name:<8} {preset.cost}")


@app.command("run", cls=Command, epilog="Example: mechlearn study run transferability --preset quick --out demo-output")
def run_study(
    name: Annotated[str, typer.Argument(metavar="STUDY", help="The study, as 'mechlearn study list' names it.")],
    preset: Annotated[
        str | None,
        typer.Option(help="Named settings; by default the study's cheapest.", show_default=False),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="A TOML file whose keys go over the preset's, such as a run's config.toml.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results; by default STUDY-output.", show_default=False),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Seed of all random numbers; by default that of the settings.",
            show_default=False,
        ),
    ] = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    expert: Annotated[
        Path | None,
        typer.Option(help="A data set of your own, in any readable format, for the built-in one.", show_default=False),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Fields of your own: a folder or a file, for the built-in ones.", show_default=False),
    ] = None,
    glasses: Annotated[
        Path | None,
        typer.Option(
            help="Glasses of your own, in any readable format, for those that are made; no larger ones are made.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Print the resolved settings and, from a timed sample, what they cost; write nothing."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a study, or go on with one: what is done in the folder is not done again."""
    from mechlearn import studies

    study = studies.find_study(name)
    options: dict[str, Any] = {}
    if seed is not None:
        options["seed"] = seed
    if expert is not None:
        options["expert"] = str(existing(expert, "reading the expert set"))
    if data is not None:
        options["data"] = str(existing(data, "reading the data").resolve())
    if glasses is not None:
        options |= {"glasses": str(existing(glasses, "reading the glasses").resolve()), "larger": None}
    settings = study.configure(preset, config, options)
    study.check(settings)
    cost = study.cost(settings)
    if dry_run:
        _show_plan(study, settings, cost, available_workers(workers), as_json=as_json)
        return
    folder = out or Path(f"{name}-output")
    say(f"study {name}: {cost + '; ' if cost else ''}results in {folder}")
    with _log_on_stderr():
        results = studies.run_study(study, settings, folder, workers=available_workers(workers), scheduler=scheduler)
    if as_json:
        show_json(results)
    else:
        _show_results(study.summarise(results), folder)


def _entry(study: Any) -> dict[str, Any]:
    presets = {name: preset.cost for name, preset in study.presets.items()}
    return {"name": study.name, "question": study.question, "presets": presets}


def _show_plan(study: Any, settings: Any, cost: str, workers: int, *, as_json: bool) -> None:
    """The settings as TOML, and below them what a sample of the work says of all of it, as comments."""
    say(f"it would cost: {cost or 'not known, as these are the settings of no preset'}")
    if study.plan is not None:
        say("timing a sample of the work: about half a minute")
    plan = None if study.plan is None else study.plan(settings, workers)
    if as_json:
        show_json({**settings.model_dump(mode="json"), **({} if plan is None else {"plan": plan.to_dict()})})
        return
    show(settings.to_toml().rstrip())
    if plan is not None:
        show("\n" + "\n".join(f"# {line}".rstrip() for line in str(plan).splitlines()))


def _show_results(summary: str, folder: Path) -> None:
    if summary:
        show(summary)
    for file, what in (("report.html", "report"), ("results.json", "every figure"), ("models", "models")):
        if (folder / file).exists():
            show(f"{what + ':':<14}{folder / file}")


@contextmanager
def _log_on_stderr() -> Iterator[None]:
    """What a study logs, as it happens, for the person who waits."""
    package = logging.getLogger("mechlearn")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    package.addHandler(handler)
    try:
        yield
    finally:
        package.removeHandler(handler)
