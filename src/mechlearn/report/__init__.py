"""Figures and a self-contained HTML page for what was measured; it knows scorecards, not studies.

Needs the extra ``report`` (plotly and jinja2): ``pip install 'mechlearn[report]'``, or ``'.[report]'`` in a
checkout.
"""

from mechlearn.errors import InputError, installation

try:
    from mechlearn.report.data_figures import (
        descriptor_densities,
        energy_distributions,
        principal_component_scatter,
        width_bars,
    )
    from mechlearn.report.model_figures import (
        ConservationSeries,
        LearningCurve,
        ModelPoint,
        accuracy_against_size,
        energy_conservation,
        error_distributions,
        holdout_bars,
        learning_curves,
        parity,
        transfer_heatmap,
    )
    from mechlearn.report.page import (
        Highlight,
        Picture,
        Report,
        Section,
        Table,
        Text,
        provenance,
    )
except ModuleNotFoundError as missing:
    if missing.name not in ("plotly", "jinja2"):
        raise
    raise InputError(
        f"making a report: the package {missing.name!r} is not installed; {installation('report')}"
    ) from missing

__all__ = [
    "ConservationSeries",
    "Highlight",
    "LearningCurve",
    "ModelPoint",
    "Picture",
    "Report",
    "Section",
    "Table",
    "Text",
    "accuracy_against_size",
    "descriptor_densities",
    "energy_conservation",
    "energy_distributions",
    "error_distributions",
    "holdout_bars",
    "learning_curves",
    "parity",
    "principal_component_scatter",
    "provenance",
    "transfer_heatmap",
    "width_bars",
]
