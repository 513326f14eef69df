"""What the study of equations found: the results of its pieces of work put together, data set by data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mechlearn.studies.equation_discovery_config import EquationDiscoveryConfig
from mechlearn.studies.equation_discovery_fields import Source, sources, truth_of
from mechlearn.studies.equation_discovery_judging import Terms, judged, terms_of
from mechlearn.studies.equation_discovery_laws import law_title
from mechlearn.studies.equation_discovery_work import Piece

#: What a reader calls this package's own method in tables.
OURS: Final = "mechlearn"

_TITLES: Final = {
    "burgers": "Burgers' equation",
    "kdv": "Korteweg and de Vries's equation",
    "lorenz": "Lorenz's system",
    "reaction-diffusion": "a reaction–diffusion spiral",
}


@dataclass(frozen=True, eq=False)
class DataFindings:
    """One data set.

    Attributes
    ----------
    name : str
        Of the built-in data set, or of the file.
    file : str or None
        The file of one's own.
    truth : mapping or None
        What its equations should be.
    truth_is : str
        How that is known.
    runs : sequence of dict
        Every draw of every noise.
    """

    name: str
    file: str | None
    truth: Terms | None
    truth_is: str
    runs: Sequence[Mapping[str, Any]]

    @property
    def title(self) -> str:
        """What a reader calls it."""
        return _TITLES.get(self.name, self.name) if self.file is None else f"the file {self.name}"

    @property
    def noises(self) -> list[float]:
        """What was added, the least first."""
        return sorted({run["noise"] for run in self.runs})

    def at(self, noise: float) -> list[Mapping[str, Any]]:
        """The runs with that noise, by draw."""
        return sorted((run for run in self.runs if run["noise"] == noise), key=lambda run: run["draw"])

    def rows(self) -> list[dict[str, Any]]:
        """How often the equations were right, by noise and method; nothing where there is no truth to hold them to."""
        if self.truth is None:
            return []
        rows = []
        for noise in self.noises:
            if self.truth_is == "found without noise added" and noise == 0:
                continue
            runs = self.at(noise)
            methods = {OURS: [terms_of(run["found"]["equations"]) for run in runs]}
            for name in runs[0]["peers"]:
                methods[name] = [run["peers"][name] for run in runs]
            rows += [
                {"data": self.name, "noise": noise, "method": name, "truth": self.truth_is, **judged(found, self.truth)}
                for name, found in methods.items()
            ]
        return rows

    def row(self, noise: float, method: str = OURS) -> dict[str, Any] | None:
        """One of the rows."""
        return next((row for row in self.rows() if row["noise"] == noise and row["method"] == method), None)

    def shown(self, noise: float) -> Mapping[str, Any]:
        """What is kept for the report of the first draw of that noise."""
        return {**self.at(noise)[0]["shown"], "equations": self.at(noise)[0]["found"]["equations"]}


@dataclass(frozen=True, eq=False)
class LawFindings:
    """One law whose symmetry was looked for.

    Attributes
    ----------
    name, group_true : str
        The law and its symmetry.
    noise : float
        Of the samples.
    runs : sequence of dict
        Every draw.
    """

    name: str
    group_true: str
    noise: float
    runs: Sequence[Mapping[str, Any]]

    @property
    def title(self) -> str:
        """What a reader calls it."""
        return law_title(self.name)

    @property
    def right(self) -> int:
        """How often the symmetry was found."""
        return sum(run["group"] == self.group_true for run in self.runs)

    @property
    def exact(self) -> int:
        """How often exactly the right terms were found."""
        return sum(run["exact"] for run in self.runs)

    @property
    def largest_error(self) -> float | None:
        """Of a coefficient, where the terms were right."""
        return max((run["error"] for run in self.runs if run["error"] is not None), default=None)

    def row(self) -> dict[str, Any]:
        """As ``results.json`` holds it; evidence and equation are those of the first draw."""
        first = self.runs[0]
        return {
            "law": self.name,
            "group_true": self.group_true,
            "noise": self.noise,
            "seeds": len(self.runs),
            "chosen": dict(sorted(Counter(run["group"] for run in self.runs).items())),
            "share_right": self.right / len(self.runs),
            "exact": self.exact,
            "largest_error": self.largest_error,
            "true_terms": first["true_terms"],
            "equation": first["equation"],
            "evidence": first["evidence"],
        }


@dataclass(frozen=True, eq=False)
class CrystalFindings:
    """The interactions of one crystal.

    Attributes
    ----------
    lattice : str
        ``fcc``, ``bcc`` or ``hcp``.
    runs : sequence of dict
        Every law that was planted.
    """

    lattice: str
    runs: Sequence[Mapping[str, Any]]

    def row(self) -> dict[str, Any]:
        """As ``results.json`` holds it: counts, and how well the planted entries were found, least and largest."""
        first = self.runs[0]
        return {
            "lattice": self.lattice,
            "systems": first["systems"],
            "noise": first["noise"],
            "seeds": len(self.runs),
            "tensors": {name: self.tensor(name) for name in first["tensors"]},
            "entries": first["entries"],
        }

    def tensor(self, name: str) -> dict[str, Any]:
        """One of the tensors over all planted laws."""
        rows = [run["tensors"][name] for run in self.runs]
        held = [row["intervals_that_hold"] for row in rows if row["intervals_that_hold"] is not None]
        counts = ("unit", "entries", "independent", "independent_by_characters", "planted")
        return {key: rows[0][key] for key in counts} | {
            "f1_least": min(row["f1"] for row in rows),
            "missed": sum(row["missed"] for row in rows),
            "spurious": sum(row["spurious"] for row in rows),
            "largest_error": max(row["largest_error"] for row in rows),
            "intervals_that_hold": float(np.mean(held)) if held else None,
        }


@dataclass(frozen=True, eq=False)
class EquationFindings:
    """All that the report tells.

    Attributes
    ----------
    data : sequence of DataFindings
        Fields and trajectories.
    laws : sequence of LawFindings
        Symmetries.
    crystals : sequence of CrystalFindings
        Interactions between slip systems.
    coordinates : sequence of dict
        Coordinates found, one a system.
    """

    data: Sequence[DataFindings]
    laws: Sequence[LawFindings]
    crystals: Sequence[CrystalFindings]
    coordinates: Sequence[Mapping[str, Any]]

    @property
    def has_peer(self) -> bool:
        """Whether PySINDy was there to compare with."""
        return any(run["peers"] for data in self.data for run in data.runs)


def gather(
    config: EquationDiscoveryConfig, work: Sequence[Piece], results: Sequence[Mapping[str, Any]]
) -> EquationFindings:
    """Put the results of all pieces together.

    Parameters
    ----------
    config
        The settings.
    work, results
        The pieces, and what each gave.
    """
    by_name = {piece.name: result for piece, result in zip(work, results, strict=True)}
    of_part = {
        part: [result for piece, result in zip(work, results, strict=True) if piece.part == part]
        for part in ("symmetry", "coordinates")
    }
    laws = [
        LawFindings(plan.name, runs[0]["group_true"], plan.noise, runs)
        for plan in config.laws
        if (runs := [run for run in of_part["symmetry"] if (run["law"], run["noise"]) == (plan.name, plan.noise)])
    ]
    crystals = [
        CrystalFindings(plan.lattice, runs)
        for number, plan in enumerate(config.crystals)
        if (runs := [result for name, result in by_name.items() if name.startswith(f"crystal-{number}-")])
    ]
    fields = [result for piece, result in zip(work, results, strict=True) if piece.part == "fields"]
    return EquationFindings(
        [_data(config, source, fields) for source in sources(config)], laws, crystals, of_part["coordinates"]
    )


def _data(config: EquationDiscoveryConfig, source: Source, results: Sequence[Mapping[str, Any]]) -> DataFindings:
    runs = [result for result in results if result["data"] == source.plan.name]
    as_it_is = next((terms_of(run["found"]["equations"]) for run in runs if run["noise"] == 0), None)
    truth, truth_is = truth_of(source, config, as_it_is)
    return DataFindings(source.plan.name, source.file, truth, truth_is, runs)
