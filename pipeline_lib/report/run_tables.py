"""Tables of what ran: contrasts, splits, registration, bias, and what it cost."""

from collections.abc import Sequence

import pandas as pd

from pipeline_lib.report.origin import RuleCost
from pipeline_lib.report.request import Dataset, Experiment
from pipeline_lib.report.tables import MOST_ROWS, Cell, Table, csv_of, numeric, words

SPLITS = ("train", "validation", "test")
HOUR = 3600  # seconds


def clock(seconds: float) -> str:
    """Write a duration, such as `42 s`, `3 min 07 s` or `2 h 05 min`."""
    if pd.isna(seconds):
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def contrasts_table(dataset: Dataset, sequences: pd.DataFrame) -> Table:
    """Contrasts with their times in seconds; a range where sessions differ."""
    body = []
    for contrast in dataset.contrasts:
        rows = sequences[sequences["contrast"] == contrast]
        kinds = ", ".join(sorted(set(rows["sequence"].dropna()))) or "–"
        tag = "reference" if contrast == dataset.reference else ""
        body.append(
            (
                Cell(contrast, contrast, tag=tag),
                words(kinds),
                *(_span(rows[name]) for name in ("te", "tr", "ti")),
            )
        )
    own = sequences.drop(columns=["shape", "spacing"])
    csv, left_out = csv_of(own, f"check_scans/{dataset.name}")
    return Table(
        name=f"contrasts-{dataset.name}",
        caption="Contrasts as read from the scans; the others are registered to the reference."
        + left_out,
        columns=("Contrast", "Sequence", "TE (s)", "TR (s)", "TI (s)"),
        rows=tuple(body),
        csv=csv,
    )


def _span(values: pd.Series) -> Cell:
    known = pd.to_numeric(values).dropna()
    if known.empty:
        return Cell("–", None)
    low, high = known.min(), known.max()
    text = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
    return Cell(text, float(low))


def split_table(experiment: Experiment, split: pd.DataFrame) -> Table | None:
    """Patients by folds: who is in training, validation and test; of many the first."""
    if split.empty:
        return None
    folds = sorted(set(split["fold"]))
    patients = list(dict.fromkeys(split["patient"]))
    shown = split[split["patient"].isin(patients[:MOST_ROWS])]
    body = [
        (words(patient), *(words(_places(shown, patient, fold)) for fold in folds))
        for patient in patients[:MOST_ROWS]
    ]
    csv, left_out = csv_of(split, f"split/{experiment.name}.csv")
    caption = "Patients were split before anything else; nobody is in two splits of a fold."
    if experiment.leaked:
        caption = f"{experiment.leaked_words.capitalize()}."
    elif experiment.seen:
        caption += " Those seen are training patients that were predicted too, to compare."
    if len(patients) > MOST_ROWS:
        caption += f" Shown are {MOST_ROWS} of {len(patients):,} patients."
    return Table(
        name=f"split-{experiment.name}",
        caption=caption + left_out,
        columns=("Patient", *(f"Fold {fold}" for fold in folds)),
        rows=tuple(body),
        csv=csv,
    )


def _places(split: pd.DataFrame, patient: str, fold: int) -> str:
    """Say which splits of a fold a patient is in; of a leaked one, with how many of its images."""
    rows = split[(split["patient"] == patient) & (split["fold"] == fold)]
    counts = rows["split"].value_counts(sort=False)
    leaked = rows["slice"].fillna("").ne("").any()
    said = [f"{name} {count}" if leaked else str(name) for name, count in counts.items()]
    return ", ".join(said) or "–"


def split_words(split: pd.DataFrame) -> str:
    """Say how many train, validate and test in a fold, such as `6 / 1 / 1`.

    Patients are counted; of a leaked split, its images or slices.
    """
    counts = split.groupby(["fold", "split"]).size().unstack(fill_value=0)
    spans = []
    for name in SPLITS:
        values = counts[name] if name in counts else pd.Series([0])
        low, high = int(values.min()), int(values.max())
        spans.append(str(low) if low == high else f"{low} to {high}")
    return " / ".join(spans)


def registration_table(dataset: Dataset, registrations: pd.DataFrame) -> Table | None:
    """Sessions and contrasts with their residuals in mm, the worst first; of many these alone."""
    rows = registrations[registrations["contrast"] != dataset.reference]
    if rows.empty:
        return None
    rows = rows.sort_values("residual_mm", ascending=False, kind="stable")
    body = [
        (
            words(row["session"]),
            words(row["contrast"]),
            words(row["transform"]),
            numeric(row["residual_mm"], 2),
            numeric(row["residual_p95_mm"], 2),
            words(row["residual_kind"]),
        )
        for row in rows.head(MOST_ROWS).to_dict("records")
    ]
    caption = "Residual distance over the body after registration, worst first."
    if len(rows) > MOST_ROWS:
        caption += f" Shown are {MOST_ROWS} of {len(rows):,}."
    csv, left_out = csv_of(rows, f"quality/{dataset.name}")
    return Table(
        name=f"registration-{dataset.name}",
        caption=caption + left_out,
        columns=(
            "Session", "Contrast", "Transform", "Residual (mm)", "95th percentile (mm)", "Against",
        ),
        rows=tuple(body),
        csv=csv,
    )  # fmt: skip


def registration_words(registrations: pd.DataFrame, reference: str) -> list[str]:
    """Say mean and maximum of the residuals, for each way in which they were found."""
    rows = registrations[registrations["contrast"] != reference].dropna(subset=["residual_mm"])
    return [
        f"{len(group)} registrations, residual {kind}: mean {group['residual_mm'].mean():.2f} mm, "
        f"largest {group['residual_mm'].max():.2f} mm."
        for kind, group in rows.groupby("residual_kind")
    ]


def bias_table(dataset: Dataset, bias: pd.DataFrame) -> Table | None:
    """Contrasts and tissues with their coefficient of variation before and after correction."""
    if bias.empty:
        return None
    body = []
    for (contrast, tissue), rows in bias.groupby(["contrast", "tissue"], sort=False):
        lower = int((rows["cv_corrected"] < rows["cv_raw"]).sum())
        raw, corrected = rows["cv_raw"].mean(), rows["cv_corrected"].mean()
        body.append(
            (
                words(contrast),
                words(tissue),
                numeric(100 * raw, 1),
                numeric(100 * corrected, 1),
                numeric(100 * (corrected - raw), 1),
                Cell(f"{lower} of {len(rows)}", lower / len(rows)),
            )
        )
    csv, left_out = csv_of(bias, f"quality/{dataset.name}")
    return Table(
        name=f"bias-{dataset.name}",
        caption=(
            "Coefficient of variation within tissues, before and after bias correction, mean over "
            "sessions; an uneven coil raises it, so lower is better." + left_out
        ),
        columns=(
            "Contrast", "Tissue", "Raw (%)", "Corrected (%)", "Change (% points)",
            "Sessions that got lower",
        ),
        rows=tuple(body),
        csv=csv,
    )  # fmt: skip


def cost_table(costs: Sequence[RuleCost]) -> Table | None:
    """Rules with their jobs, time and memory, the costliest first."""
    if not costs:
        return None
    core_hours = sum(cost.core_seconds for cost in costs) / HOUR
    gpu_hours = sum(cost.gpu_seconds for cost in costs) / HOUR
    together = f"{core_hours:.2f} core hours and {gpu_hours:.2f} GPU hours were reserved in all. "
    body = [
        (
            words(cost.rule),
            numeric(cost.jobs, 0),
            Cell(clock(cost.seconds), cost.seconds),
            Cell(clock(cost.longest), cost.longest),
            Cell(clock(cost.cpu_seconds), cost.cpu_seconds),
            numeric(cost.core_seconds / HOUR, 2),
            numeric(cost.gpu_seconds / HOUR, 2),
            numeric(cost.memory, 0),
        )
        for cost in costs
    ]
    table = pd.DataFrame([vars(cost) for cost in costs])
    return Table(
        name="costs",
        caption=("" if pd.isna(core_hours) else together)
        + "From Snakemake's benchmark files; jobs shorter than a blink have no memory.",
        columns=(
            "Rule", "Jobs", "Time, all jobs", "Longest job", "Processor time", "Core hours",
            "GPU hours", "Largest memory (MB)",
        ),
        rows=tuple(body),
        csv=table.to_csv(index=False),
    )  # fmt: skip
