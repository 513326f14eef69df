"""``mechlearn glass train`` and ``evaluate``: learn where glasses yield, and measure it on glasses never seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mechlearn.cli.glass_inputs import said
from mechlearn.cli.glass_tables import SWEEP, show_records, sweep_records
from mechlearn.cli.output import JsonOption, SeedOption, say, say_epoch, show, show_json

if TYPE_CHECKING:
    from mechlearn.glasses import EventData

RunsArgument = Annotated[Path, typer.Argument(metavar="RUNS", help="A folder that 'mechlearn glass shear' wrote.")]
FeaturesArgument = Annotated[
    Path, typer.Argument(metavar="FEATURES", help="What 'mechlearn glass features' wrote for these runs.")
]

#: Groups of features by their names.
GROUPS = ("paper", "mechanism", "interstices", "symmetry functions", "all")


def train(
    runs: RunsArgument,
    features: FeaturesArgument,
    out: Annotated[Path, typer.Option(help="Folder for the model; an interrupted training is gone on with.")],
    model: Annotated[
        str,
        typer.Option(
            metavar="KIND", help="gat (graph attention), svm, boosting, or ranking (by one feature, nothing learnt)."
        ),
    ] = "boosting",
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--features",
            metavar="NAME",
            help="What the model sees: paper, mechanism, all (the default), or a feature by its name; may be repeated.",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="Å²",
            help="Threshold of D²min, above which an atom took part; by default that in the shear.",
            show_default=False,
        ),
    ] = None,
    imbalance: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What is done about the rarity of events: weights (the default), none, undersampling, oversampling, "
            "or focal (gat).",
            show_default=False,
        ),
    ] = None,
    hold_out: Annotated[
        float, typer.Option(metavar="SHARE", help="Share of the specimens that training does not touch.")
    ] = 0.2,
    validation: Annotated[
        float,
        typer.Option(
            metavar="SHARE", help="Share of the specimens by which the best epoch or number of trees is chosen."
        ),
    ] = 0.2,
    layers: Annotated[int, typer.Option(min=1, metavar="N", help="Layers of the gat.")] = 4,
    width: Annotated[int, typer.Option(min=1, metavar="N", help="Width of each of its heads.")] = 15,
    heads: Annotated[int, typer.Option(min=1, metavar="N", help="Heads of each of its layers.")] = 9,
    epochs: Annotated[int, typer.Option(min=1, metavar="N", help="Epochs of its training.")] = 100,
    trees: Annotated[int, typer.Option(min=1, metavar="N", help="Trees of boosting, at most.")] = 300,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Train a model on the first events of some specimens; those held out are left for evaluate --unseen."""
    import numpy as np

    from mechlearn.glasses import FeatureFolder, ModelSettings, ShearRuns, fit_event_model

    kind = _kind(model)
    opened = ShearRuns.open(runs)
    with said():
        data = FeatureFolder.open(features).load(opened)
    above = float(opened[0].threshold) if threshold is None else threshold
    settings = ModelSettings(
        kind=kind,
        features=_features(data, names or ["all"]),
        threshold=above,
        imbalance=imbalance,  # type: ignore[arg-type]  # the settings say which there are
        layers=layers,
        width=width,
        heads=heads,
        epochs=epochs,
        trees=trees,
    )
    learnt, judged, left = _shares(data, validation, hold_out, np.random.default_rng(seed))
    prevalence = float(learnt.positive(above).mean())
    basis = f"{len(learnt)} runs of {len(learnt.specimens)} specimens, prevalence {prevalence:.3g}"
    say(f"training {settings.name}: {basis}")
    fitted = fit_event_model(settings, learnt, judged, seed=seed, checkpoint=out / "checkpoint", progress=say_epoch)
    fitted.save(out)
    if as_json:
        specimens = {"trained_on": fitted.trained_on, "held_out": left}
        show_json({"model": out, "settings": settings.to_dict(), "prevalence": prevalence, **specimens})
        return
    show(f"model:    {out}")
    show(f"held out: {', '.join(left) or 'nothing; evaluate it on other glasses'}")


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="What 'mechlearn glass train' wrote.")],
    runs: RunsArgument,
    features: FeaturesArgument,
    unseen: Annotated[
        bool, typer.Option("--unseen", help="Leave out the specimens that the model has seen, in place of refusing.")
    ] = False,
    prevalence: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Score as if so many atoms were positive, to compare with another study; 0.0018 is the paper's.",
            show_default=False,
        ),
    ] = None,
    radius: Annotated[
        float, typer.Option(metavar="Å", help="A top-ranked atom no further from the trigger is a hit.")
    ] = 5.0,
    sweep: Annotated[
        list[float] | None,
        typer.Option(metavar="Å²", help="Score at this threshold of D²min too; may be repeated.", show_default=False),
    ] = None,
    maps: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for extended XYZ files with the confidence of every atom and colours, for OVITO.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Score a model on specimens that it has not seen, beside chance and the prevalence."""
    from mechlearn.evaluation import relabelled, threshold_sweep
    from mechlearn.glasses import FeatureFolder, ShearRuns, load_event_model, score_models, write_maps

    fitted = load_event_model(model)
    with said():
        data = FeatureFolder.open(features).load(ShearRuns.open(runs))
    if unseen:
        data = _unseen(data, fitted.trained_on)
    above = fitted.settings.threshold
    title = f"first events, D²min above {above:g} Å²: {runs}"
    card = score_models(title, {fitted.name: fitted}, data, radius=radius, prevalence=prevalence)
    says = fitted.predictions(data)
    truths = relabelled(says, data.d2min, sweep or ())
    rows = sweep_records(threshold_sweep(fitted.name, truths, trained_on=fitted.trained_on))
    if maps is not None:
        write_maps(data, says.confidences, above, maps)
        say(f"{len(data)} maps in {maps}; OVITO opens them in their colours")
    if as_json:
        show_json({"model": model, **card.to_dict(), "sweep": rows})
        return
    show(str(card))
    if rows:
        show_records(SWEEP, rows)


def _kind(name: str) -> Any:
    """The kind of model of that name; of a name that is none the nearest is suggested."""
    from mechlearn.errors import InputError
    from mechlearn.glasses.prediction.event_settings import KINDS
    from mechlearn.studies.configuration import suggestion

    if name in KINDS:
        return name
    raise InputError(f"training a model: there is no kind {name!r}; {suggestion(name, KINDS)}")


def _features(data: EventData, names: Sequence[str]) -> tuple[str, ...]:
    """The features of these groups and names, in the order of the data."""
    from mechlearn.errors import InputError
    from mechlearn.glasses.description.feature_folder import FEATURE_GROUPS, feature_group

    groups = {group: [name for name in data.names if feature_group(name) == group] for group in FEATURE_GROUPS}
    groups["all"] = list(data.names)
    chosen: set[str] = set()
    for name in names:
        found = groups.get(name, [name] if name in data.names else [])
        if not found:
            there = "it was left out with --no-mechanism" if name == "mechanism" else f"there are {', '.join(GROUPS)}"
            raise InputError(f"the option --features: {name!r} is no group and no feature of these atoms; {there}")
        chosen.update(found)
    return tuple(name for name in data.names if name in chosen)


def _shares(
    data: EventData, validation: float, hold_out: float, rng: Any
) -> tuple[EventData, EventData | None, tuple[str, ...]]:
    """The runs to train on, to choose the best epoch by, and the specimens left over: specimens are never divided."""
    from mechlearn.errors import InputError

    for option, share in (("--validation", validation), ("--hold-out", hold_out)):
        if not 0.0 <= share < 1.0:
            raise InputError(f"the option {option}: found {share}; give a share of at least 0 and below 1")
    names = [data.specimens[place] for place in rng.permutation(len(data.specimens))]
    judged, left = (max(1, round(share * len(names))) if share else 0 for share in (validation, hold_out))
    if judged + left >= len(names):
        raise InputError(
            f"training a model: {len(names)} specimens, {judged} for validation and {left} held out, leave none to "
            "learn from; prepare more, or give smaller shares"
        )
    return (
        data.of_specimens(names[judged + left :]),
        data.of_specimens(names[:judged]) if judged else None,
        tuple(sorted(names[judged : judged + left])),
    )


def _unseen(data: EventData, trained_on: tuple[str, ...]) -> EventData:
    """The runs of specimens that a model has not seen."""
    from mechlearn.errors import InputError

    left = [name for name in data.specimens if name not in set(trained_on)]
    if not left:
        raise InputError("evaluating a model: it has seen every one of these specimens; give others")
    return data.of_specimens(left)
