"""What label checks found: one sentence each, with the groups and structures it concerns."""

from __future__ import annotations

import html
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Int

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, eq=False)
class Finding:
    """One thing that looks wrong.

    Attributes
    ----------
    kind : str
        ``"missing_label"``, ``"zero_label"``, ``"stress_units"``, ``"energy_offset"``, ``"not_finite"``,
        ``"overlap"``, ``"near_duplicates"``, ``"singular_cell"`` or ``"not_checked"``.
    severity : {"error", "warning", "note"}
        Errors make a fit fail or lie; warnings are to be decided on; notes are good to know.
    groups : tuple of str
        The groups concerned.
    structures : array of indices
        The structures concerned, in the batch that was checked.
    message : str
        One sentence for a person.
    """

    kind: str
    severity: Severity
    groups: tuple[str, ...]
    structures: Int[np.ndarray, " concerned"]
    message: str

    def to_dict(self) -> dict[str, Any]:
        """The finding as plain lists and strings."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "groups": list(self.groups),
            "structures": self.structures.tolist(),
            "message": self.message,
        }


@dataclass(frozen=True, eq=False)
class LabelReport:
    """All findings on a batch, the gravest first.

    Attributes
    ----------
    structures, atoms : int
        What was checked.
    findings : tuple of Finding
        What was found.
    offsets : dict
        Each group's constant energy against the rest and its standard error, eV/atom; empty where it was not
        sought.
    """

    structures: int
    atoms: int
    findings: tuple[Finding, ...]
    offsets: dict[str, tuple[float, float]]

    def of_kind(self, kind: str) -> tuple[Finding, ...]:
        """The findings of one kind."""
        return tuple(finding for finding in self.findings if finding.kind == kind)

    @property
    def verdict(self) -> str:
        """How many errors and warnings there are, in words; notes accuse nothing."""
        counts = Counter(finding.severity for finding in self.findings if finding.severity != "note")
        return ", ".join(f"{count} {name}{'s' * (count > 1)}" for name, count in counts.items()) or "nothing suspect"

    def to_dict(self) -> dict[str, Any]:
        """The report as plain dicts and lists."""
        return {
            "structures": self.structures,
            "atoms": self.atoms,
            "findings": [finding.to_dict() for finding in self.findings],
            "energy_offsets_ev_per_atom": {
                group: {"offset": offset, "standard_error": error} for group, (offset, error) in self.offsets.items()
            },
        }

    def __str__(self) -> str:
        width = max((len(finding.kind) for finding in self.findings), default=0)
        rows = (f"  {finding.severity:7}  {finding.kind:{width}}  {finding.message}" for finding in self.findings)
        head = f"Labels of {self.structures:,} structures, {self.atoms:,} atoms: {self.verdict}"
        return "\n".join([head, *rows])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{finding.severity}</td><td>{finding.kind}</td><td>{len(finding.structures):,}</td>"
            f'<td style="text-align:left">{html.escape(finding.message)}</td></tr>'
            for finding in self.findings
        )
        head = f"<p><b>Labels</b> of {self.structures:,} structures, {self.atoms:,} atoms: {self.verdict}</p>"
        if not self.findings:
            return head
        return (
            f"{head}<table><thead><tr><th>severity</th><th>kind</th><th>structures</th><th>finding</th></tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )
