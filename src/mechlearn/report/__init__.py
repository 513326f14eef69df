"""Figures and a self-contained HTML page for what was measured; it knows scorecards, not studies.

Needs the extra ``report`` (plotly and jinja2): ``pip install 'mechlearn[report]'``, or ``'.[report]'`` in a
checkout.
"""

from mechlearn.errors import InputError, installation

try:
    from mechlearn.report.classification_figures import (
        DetectionSeries,
        PrecisionRecallSeries,
        SweepSeries,
        detection_plot,
        precision_recall_plot,
        threshold_sweep_plot,
    )
    from mechlearn.report.data_figures import (
        descriptor_densities,
        energy_distributions,
        principal_component_scatter,
        width_bars,
    )
    from mechlearn.report.equation_figures import (
        fields_beside,
        matrices_beside,
        residual_map,
        simulation_errors,
        trajectories,
    )
    from mechlearn.report.evidence_figures import (
        CoefficientPoint,
        GroupPoint,
        PathPoint,
        TermPath,
        coefficient_intervals,
        recovery_shares,
        regularisation_path,
        symmetry_evidence,
    )
    from mechlearn.report.glass_figures import (
        ShearCurve,
        StrainSeries,
        bin_names,
        event_strains,
        score_against_strain,
        score_bars,
        stress_strain,
    )
    from mechlearn.report.glass_map import glass_map
    from mechlearn.report.model_figures import (
        ConservationSeries,
        LearningCurve,
        ModelPoint,
        accuracy_against_size,
        energy_conservation,
        learning_curves,
        parity,
    )
    from mechlearn.report.page import (
        Formula,
        Highlight,
        Picture,
        Report,
        Section,
        Table,
        Text,
        provenance,
    )
    from mechlearn.report.transfer_figures import error_distributions, holdout_bars, transfer_heatmap
except ModuleNotFoundError as missing:
    if missing.name not in ("plotly", "jinja2"):
        raise
    raise InputError(
        f"making a report: the package {missing.name!r} is not installed; {installation('report')}"
    ) from missing

__all__ = [
    "CoefficientPoint",
    "ConservationSeries",
    "DetectionSeries",
    "Formula",
    "GroupPoint",
    "Highlight",
    "LearningCurve",
    "ModelPoint",
    "PathPoint",
    "Picture",
    "PrecisionRecallSeries",
    "Report",
    "Section",
    "ShearCurve",
    "StrainSeries",
    "SweepSeries",
    "Table",
    "TermPath",
    "Text",
    "accuracy_against_size",
    "bin_names",
    "coefficient_intervals",
    "descriptor_densities",
    "detection_plot",
    "energy_conservation",
    "energy_distributions",
    "error_distributions",
    "event_strains",
    "fields_beside",
    "glass_map",
    "holdout_bars",
    "learning_curves",
    "matrices_beside",
    "parity",
    "precision_recall_plot",
    "principal_component_scatter",
    "provenance",
    "recovery_shares",
    "regularisation_path",
    "residual_map",
    "score_against_strain",
    "score_bars",
    "simulation_errors",
    "stress_strain",
    "symmetry_evidence",
    "threshold_sweep_plot",
    "trajectories",
    "transfer_heatmap",
    "width_bars",
]
