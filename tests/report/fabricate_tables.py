"""Fabricated tables of the stage `evaluation`: values of each patient, and what sums them up."""

from itertools import combinations

import numpy as np
import pandas as pd

from tests.report.fabricate_images import TISSUES, TRUTH, write_csv

BASELINES = (
    "do_nothing", "look_up_table", "nearest_copy", "training_mean", "least_squares",
    "noise_ceiling", "registration_ceiling",
)  # fmt: skip
# NRMSE of each system; simko and worse are made worse than the look-up table, worse than the
# nearest training image too, and models that are not named here as good as the first.
LEVELS = {
    "unet": 0.12, "simko": 0.29, "worse": 0.5, "do_nothing": 0.55, "look_up_table": 0.24,
    "nearest_copy": 0.4, "training_mean": 0.8, "least_squares": 0.05, "noise_ceiling": 0.02,
    "registration_ceiling": 0.06,
}  # fmt: skip
POOR = ("fat", "T1")  # whose Cramér-Rao bound exceeds 20 %


def level_of(model: str) -> float:
    """NRMSE around which the values of a system are drawn."""
    return LEVELS.get(model, LEVELS["unet"])


def values_of(keys: dict, models: list[str], pairs, unseen: set[str], random) -> list[dict]:
    """Values of one patient for all systems, pairs and regions."""
    rows = []
    for model in (*models, *BASELINES):
        for source, target in pairs:
            parameters = "unseen" if {source, target} & unseen else "seen"
            for region in ("body", *TISSUES.values()):
                found = _values(model, source == target, region, random)
                rows += [
                    {**keys, "model": model, "parameters": parameters, "source": source,
                     "target": target, "region": region, "metric": metric, "value": value,
                     "data_range": 0.5 + len(target) / 10}
                    for metric, value in found.items()
                ]  # fmt: skip
    return rows


def _values(model: str, same: bool, region: str, random) -> dict[str, float]:
    nrmse = 0.0 if same and model == "do_nothing" else level_of(model) * random.uniform(0.8, 1.2)
    found = {
        "nrmse": nrmse,
        "mae": nrmse / 4,
        "psnr": np.inf if nrmse == 0 else -20 * np.log10(nrmse / 2),
        "ssim": 1 - nrmse,
        "bias": random.normal(0, nrmse / 10),
    }
    if region == "body":
        found |= {"ssim_3d": 1 - nrmse, "nmi": 1.5 - nrmse / 2, "blur": 1 + nrmse / 2}
    return found


def summarise(metrics: pd.DataFrame) -> pd.DataFrame:
    """Means, SDs and stand-in intervals over patients, each pair and all pairs together."""
    keys = ["experiment", "dataset", "model", "source", "target", "region", "metric"]
    others = metrics[metrics["source"] != metrics["target"]].assign(source="all", target="all")
    pooled = others.groupby([*keys, "patient"], as_index=False)["value"].mean()
    return _means(pd.concat([metrics, pooled]), keys)


def _means(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    found = rows.groupby(keys, sort=False)["value"].agg(["size", "mean", "std"]).reset_index()
    half = 1.96 * found["std"] / np.sqrt(found["size"])
    return found.rename(columns={"size": "n", "std": "sd"}).assign(
        low=found["mean"] - half, high=found["mean"] + half
    )


def generalise(metrics: pd.DataFrame, experiments: dict) -> pd.DataFrame:
    """Means of seen and unseen anatomy and parameters, of experiments that have either."""
    held = [name for name, values in experiments.items()
            if values.get("seen") or values.get("unseen")]  # fmt: skip
    rows = metrics[
        metrics["experiment"].isin(held)
        & metrics["group"].isin(["test", "seen"])
        & (metrics["region"] == "body")
        & (metrics["source"] != metrics["target"])
    ]
    keys = ["experiment", "dataset", "model", "group", "parameters", "metric"]
    return _means(rows.groupby([*keys, "patient"], as_index=False)["value"].mean(), keys)


def compare_all(metrics: pd.DataFrame, experiments: dict) -> pd.DataFrame:
    """Compare learned systems with each other and the look-up table by NRMSE and PSNR."""
    rows = []
    for name, values in experiments.items():
        for metric in ("nrmse", "psnr"):
            found = metrics[
                (metrics["experiment"] == name) & (metrics["metric"] == metric)
                & (metrics["region"] == "body") & (metrics["source"] != metrics["target"])
            ]  # fmt: skip
            table = found.pivot_table(index="patient", columns="model", values="value")
            for first, second in combinations([*values["models"], "look_up_table"], 2):
                difference = table[first] - table[second]
                better = difference < 0 if metric == "nrmse" else difference > 0
                n, wins = len(difference), int(better.sum())
                rows.append(
                    {"experiment": name, "metric": metric, "first": first, "second": second,
                     "n": n, "difference": difference.mean(), "low": difference.min(),
                     "high": difference.max(), "effect": 2 * wins / n - 1, "wins": wins,
                     "p": 0.016 if n > 5 else "", "p_holm": 0.031 if n > 5 else ""}
                )  # fmt: skip
    return pd.DataFrame(rows)


def evaluation_files(root, asked, metrics, random) -> None:
    """Write all tables of the stage."""
    folder = root / "evaluation"
    folder.mkdir()
    metrics.to_parquet(folder / "metrics.parquet")
    tested = metrics[metrics["group"] == "test"]
    with np.errstate(invalid="ignore"):
        summarise(tested).to_csv(folder / "summary.csv", index=False)
        external = summarise(metrics[metrics["group"] == "external"])
        external.to_csv(folder / "external.csv", index=False)
        beyond = generalise(metrics, asked["experiments"])
        beyond.to_csv(folder / "generalisation.csv", index=False)
    made = compare_all(tested, asked["experiments"])
    if not made.empty:
        made.to_csv(folder / "comparisons.csv", index=False)
    _tissues(folder, asked, random)
    _maps(folder, asked, tested, random)


def _tissues(folder, asked, random) -> None:
    rows = []
    for name, dataset in asked["datasets"].items():
        if len(dataset["contrasts"]) < 3:
            continue
        for patient in dict.fromkeys(dataset["sessions"].values()):
            for tissue, values in TRUTH.items():
                for parameter, truth in values.items():
                    mean = truth * random.uniform(0.95, 1.05)
                    rows.append(
                        {"dataset": name, "patient": patient, "tissue": tissue,
                         "parameter": parameter, "n": 900, "mean": mean, "sd": mean / 20,
                         "median": mean, "truth": truth if dataset["kind"] == "virtual" else "",
                         "bound_relative": 0.31 if (tissue, parameter) == POOR else 0.04}
                    )  # fmt: skip
    write_csv(folder / "tissues.csv", rows)


def _maps(folder, asked, tested, random) -> None:
    rows = []
    for name, values in asked["experiments"].items():
        if "simko" not in values["models"]:
            continue
        for patient in dict.fromkeys(tested.loc[tested["experiment"] == name, "patient"]):
            for tissue, truths in TRUTH.items():
                for parameter, truth in truths.items():
                    mean = truth * random.uniform(0.7, 1.3)
                    rows.append(
                        {"experiment": name, "model": "simko", "fold": 0, "patient": patient,
                         "source": "all", "tissue": tissue, "parameter": parameter, "n": 900,
                         "mean": mean, "sd": mean / 10, "median": mean, "truth": truth}
                    )  # fmt: skip
    if rows:
        write_csv(folder / "maps.csv", rows)
