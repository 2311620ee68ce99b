"""Small results folders in the formats of the stages, for the report's tests."""

from pathlib import Path

import numpy as np
import pandas as pd

from tests.report.fabricate_images import dataset_files, prediction_files, training_files, write_csv
from tests.report.fabricate_tables import evaluation_files, level_of, values_of

SIZE = 48


def pelvis(patients: int = 6) -> dict:
    """Describe a virtual dataset as the report's options do."""
    return {
        "kind": "virtual",
        "sessions": {f"sub-{i:03d}": f"sub-{i:03d}" for i in range(1, patients + 1)},
        "contrasts": ["PDw", "T1w", "T2w"],
        "reference": "PDw",
    }


def clinic() -> dict:
    """Describe a BIDS dataset of 2 patients with 3 sessions."""
    return {
        "kind": "bids",
        "sessions": {"sub-01_ses-1": "sub-01", "sub-01_ses-2": "sub-01", "sub-02_ses-1": "sub-02"},
        "contrasts": ["T1w", "FLAIR"],
        "reference": "T1w",
    }


def every_pair(dataset: dict) -> list[list[str]]:
    """Pair all contrasts of a dataset, each with itself too."""
    return [[source, target] for source in dataset["contrasts"] for target in dataset["contrasts"]]


def options(datasets: dict, experiments: dict) -> dict:
    """Give the stage's options; an experiment that names no pairs has all."""
    experiments = {
        name: {"pairs": every_pair(datasets[values["dataset"]]), **values}
        for name, values in experiments.items()
    }
    return {
        "seed": 2021,
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "dirty": True,
        "versions": {"snakemake": "9.23.1", "python": "3.11.2"},
        "configuration": {
            "seed": 2021,
            "scale": "smoke",
            "datasets": {
                name: {"virtual": {"field_strength": 3}} if values["kind"] == "virtual" else {}
                for name, values in datasets.items()
            },
            "models": {"unet": {"system": "unet"}, "simko": {"system": "simko"}},
            "evaluate": {"bootstrap": 2000},
        },
        "datasets": datasets,
        "experiments": experiments,
    }


def fabricate(root: Path, asked: dict, seed: int = 0, size: int = SIZE) -> None:
    """Write all that the stages would have written, from made-up numbers and pictures.

    The slices are `size` by `size` pixels.
    """
    random = np.random.default_rng(seed)
    for name, dataset in asked["datasets"].items():
        dataset_files(root, name, dataset, size, random)
    metrics = pd.DataFrame(
        [
            row
            for name, values in asked["experiments"].items()
            for row in _experiment(root, name, values, asked["datasets"], random)
        ]
    )
    _benchmarks(root, random)
    if not metrics.empty:
        evaluation_files(root, asked, metrics, random)


def _experiment(root, name, values, datasets, random) -> list[dict]:
    dataset = datasets[values["dataset"]]
    patients = list(dict.fromkeys(dataset["sessions"].values()))
    split = _leaked_split(values, dataset) if values.get("leaked") else _split(values, patients)
    write_csv(root / f"split/{name}.csv", split)
    rows = []
    contrasts, pairs = dataset["contrasts"], values["pairs"]
    for fold in range(values["folds"]):
        tested, seen = (
            list(
                dict.fromkeys(
                    row["patient"] for row in split if row["fold"] == fold and row["split"] == part
                )
            )
            for part in ("test", "seen")
        )
        for model in values["models"]:
            runs = {model: pairs}
            if model in values.get("one_pair", []):
                runs = {
                    f"{model}.{source}.{target}": [[source, target]] for source, target in pairs
                }
            for run, held in runs.items():
                training_files(root / f"train/{name}/{run}/fold-{fold}", model, random)
                prediction_files(
                    root, root / f"predict/{name}/{run}/fold-{fold}", values["dataset"],
                    tested, contrasts, held, level_of(model), model == "simko", random,
                )  # fmt: skip
        keys = {"experiment": name, "dataset": values["dataset"], "fold": fold}
        unseen = set(values.get("unseen", []))
        for group, found in (("test", tested), ("seen", seen)):
            for patient in found:
                rows += values_of({**keys, "group": group, "patient": patient}, values["models"],
                                  pairs, unseen, random)  # fmt: skip
        for other in values.get("external", []):
            found = dict.fromkeys(datasets[other]["sessions"].values())
            held = [pair for pair in pairs if set(pair) <= set(datasets[other]["contrasts"])]
            for patient in found:
                external = {**keys, "dataset": other, "group": "external", "patient": patient}
                rows += values_of(external, values["models"], held, unseen, random)
    return rows


def _split(values, patients) -> list[dict]:
    folds = values["folds"]
    split = []
    for fold in range(folds):
        seen = 0
        for i, patient in enumerate(patients):
            place = "test" if i % max(folds, 2) == fold else "train"
            if place == "train" and (i - 1) % max(folds, 2) == fold and folds > 1:
                place = "validation"
            row = {"fold": fold, "patient": patient, "anatomy": patient, "split": place,
                   "slice": "", "contrast": ""}  # fmt: skip
            split.append(row)
            if place == "train" and seen < values.get("seen", 0):
                seen += 1
                split.append({**row, "split": "seen"})
    return split


def _leaked_split(values, dataset) -> list[dict]:
    """Every second slice, or image, of the first patient is in the test."""
    patient = next(iter(dataset["sessions"].values()))
    contrasts = dataset["contrasts"] if values["leaked"] == "image" else [""]
    return [
        {"fold": 0, "patient": patient, "anatomy": patient,
         "split": "test" if place % 2 else "train", "slice": place, "contrast": contrast}
        for place in range(3)
        for contrast in contrasts
    ]  # fmt: skip


def _benchmarks(root: Path, random: np.random.Generator) -> None:
    for rule, jobs in {"simulate": 6, "register": 9, "train_unet": 3, "report": 1}.items():
        for job in range(jobs):
            path = root / f"benchmarks/{rule}/job-{job}.tsv"
            path.parent.mkdir(parents=True, exist_ok=True)
            memory = "NA" if rule == "report" else f"{random.uniform(100, 900):.2f}"
            path.write_text(
                "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
                f"{random.uniform(1, 60):.4f}\t0:00:10\t{memory}\t1\t1\t1\t0\t0\t99\t9.5\n"
            )
