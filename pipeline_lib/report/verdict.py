"""Which system wins, by how much, and in how many patients."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

BASELINES = ("do_nothing", "look_up_table", "nearest_copy", "training_mean")
# They are shown what no system is shown, the target itself, so that they win nothing.
ORACLES = ("least_squares",)
CEILINGS = ("noise_ceiling", "registration_ceiling")
LABELS = {
    "do_nothing": "Do nothing (the source as answer)",
    "look_up_table": "Look-up table (grey value to grey value)",
    "nearest_copy": "Nearest training image",
    "training_mean": "Training mean",
    "least_squares": "Least squares (oracle: all contrasts, the target too)",
    "noise_ceiling": "Noise ceiling (a perfect model)",
    "registration_ceiling": (
        "Registration ceiling (a perfect answer, as misregistered as the scans)"
    ),
}
# What a learned system has to beat, with why it is a shame if it doesn't.
RIVALS = {
    "look_up_table": (
        "the look-up table",
        "a table from grey value to grey value, which knows nothing of anatomy, does better",
    ),
    "nearest_copy": (
        "the nearest training image",
        "an image of a training patient, copied as it is, does better",
    ),
}
# Below this an interval over patients says little.
FEW_PATIENTS = 6


@dataclass(frozen=True)
class Metric:
    """How a metric is written: its name, unit, digits, and which direction is better."""

    name: str
    unit: str
    digits: int
    better: str | None  # "lower", "higher", or neither


METRICS = {
    "nrmse": Metric("NRMSE", "", 3, "lower"),
    "psnr": Metric("PSNR", "dB", 2, "higher"),
    "ssim": Metric("SSIM", "", 3, "higher"),
    "mae": Metric("MAE", "", 4, "lower"),
    "nmi": Metric("NMI", "", 3, "higher"),
    "blur": Metric("Blur", "", 2, None),
    "bias": Metric("Bias", "", 4, None),
    "ssim_3d": Metric("3-D SSIM", "", 3, "higher"),
}
# What stands in the first table of an experiment; all else is in a second one.
MAIN_METRICS = ("nrmse", "psnr", "ssim", "mae", "nmi", "blur", "bias")


def metric_of(name: str) -> Metric:
    """Give how a metric is written; an unknown one has no better direction."""
    return METRICS.get(name, Metric(name.replace("_", " "), "", 3, None))


def label_of(model: str) -> str:
    """Give the words for a system: those of a baseline, else its name in the configuration."""
    return LABELS.get(model, model)


def short_label_of(model: str) -> str:
    """Give the words for a system without what explains them."""
    return LABELS[model].split(" (")[0] if model in LABELS else model


@dataclass(frozen=True)
class Score:
    """Mean of a metric over n patients, with SD and 95 % bootstrap interval."""

    n: int
    mean: float
    sd: float
    low: float
    high: float


def scores(
    summary: pd.DataFrame,
    experiment: str,
    metric: str,
    region: str = "body",
    source: str = "all",
    target: str = "all",
) -> dict[str, Score]:
    """Scores of all systems of an experiment for one metric, region and pair.

    Parameters
    ----------
    summary
        As from `collect.Results.summary`.
    source, target
        `all` is the mean over all pairs of different contrasts within each patient.
    """
    rows = summary[
        (summary["experiment"] == experiment)
        & (summary["metric"] == metric)
        & (summary["region"] == region)
        & (summary["source"] == source)
        & (summary["target"] == target)
    ]
    columns = ["model", "n", "mean", "sd", "low", "high"]
    return {
        str(model): Score(int(n), *map(float, values))
        for model, n, *values in rows[columns].to_numpy().tolist()
    }


def is_better(metric: str, first: float, second: float) -> bool:
    """Whether the first value is better than the second; false for a metric without direction."""
    better = metric_of(metric).better
    return (better == "lower" and first < second) or (better == "higher" and first > second)


def winner(found: dict[str, Score], metric: str, among: Iterable[str]) -> str | None:
    """Give the system with the best mean among those named; None where none has a value."""
    best: str | None = None
    for model in among:
        if model not in found or pd.isna(found[model].mean):
            continue
        if best is None or is_better(metric, found[model].mean, found[best].mean):
            best = model
    return best


def below(
    summary: pd.DataFrame, experiment: str, models: Sequence[str], rival: str
) -> dict[str, list[str]]:
    """Learned systems whose mean is worse than a rival's, with the metrics it is so in.

    Only NRMSE and PSNR over the body and all pairs are looked at; a system without a value, or an
    experiment without the rival, is not flagged.
    """
    flags: dict[str, list[str]] = {}
    for metric in ("nrmse", "psnr"):
        found = scores(summary, experiment, metric)
        beaten_by = found.get(rival)
        for model in models:
            ours = found.get(model)
            if beaten_by and ours and is_better(metric, beaten_by.mean, ours.mean):
                flags.setdefault(model, []).append(metric_of(metric).name)
    return flags


def per_patient(
    metrics: pd.DataFrame, experiment: str, metric: str, region: str = "body"
) -> pd.DataFrame:
    """Mean over all pairs of different contrasts: one row a patient, one column a system."""
    rows = metrics[
        (metrics["experiment"] == experiment)
        & (metrics["metric"] == metric)
        & (metrics["region"] == region)
        & (metrics["source"] != metrics["target"])
    ]
    return rows.pivot_table(index="patient", columns="model", values="value", aggfunc="mean")


def better_in(by_patient: pd.DataFrame, metric: str, first: str, second: str) -> tuple[int, int]:
    """In how many patients the first system is better than the second, and of how many."""
    if not {first, second} <= set(by_patient.columns):
        return 0, 0
    both = by_patient[[first, second]].dropna()
    wins = sum(is_better(metric, a, b) for a, b in both.itertuples(index=False))
    return wins, len(both)


def u_net_of(models: Sequence[str], systems: Mapping[str, str]) -> str | None:
    """Give the U-Net of an experiment, the plain reference of the field; None if it has none.

    Parameters
    ----------
    systems
        Model -> the system that it is; one of the system `unet` goes before another U-Net.
    """
    for system in ("unet", "unet_plain"):
        for model in models:
            if systems.get(model, model) == system:
                return model
    return None
