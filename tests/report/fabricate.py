"""Small results folders in the formats of the stages, for the report's tests."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from pipeline_lib.signal.equations import signal
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.store import PatientSlices

SIZE = 48
BASELINES = ("do_nothing", "look_up_table", "training_mean", "noise_ceiling")
# NRMSE of each system; simko and worse are made worse than the look-up table, and models that are
# not named here as good as the first.
LEVELS = {
    "unet": 0.12, "simko": 0.29, "worse": 0.5, "do_nothing": 0.55, "look_up_table": 0.24,
    "training_mean": 0.8, "noise_ceiling": 0.02,
}  # fmt: skip
RANGES = {"PDw": 1.01, "T1w": 0.74, "T2w": 0.66, "FLAIR": 0.52}
TISSUES = {1: "fat", 2: "muscle"}
TRUTH = {
    "fat": {"PD": 0.9, "T1": 0.382, "T2": 0.068},
    "muscle": {"PD": 0.8, "T1": 1.412, "T2": 0.05},
}
POOR = ("fat", "T1")  # whose Cramér-Rao bound exceeds 20 %


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


SEQUENCES = {
    "PDw": Sequence("SE", 0.008, 4.5),
    "T1w": Sequence("SE", 0.008, 0.4),
    "T2w": Sequence("SE", 0.075, 4.5),
    "FLAIR": Sequence("IR-FSE", 0.1, 9.0, 2.5),
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


def fabricate(root: Path, asked: dict, seed: int = 0) -> None:
    """Write all that the stages would have written, from made-up numbers and pictures."""
    random = np.random.default_rng(seed)
    for name, dataset in asked["datasets"].items():
        _dataset(root, name, dataset, random)
    metrics = pd.concat(
        [
            _experiment(root, name, values, asked["datasets"][values["dataset"]], random)
            for name, values in asked["experiments"].items()
        ]
        or [pd.DataFrame()],
        ignore_index=True,
    )
    _benchmarks(root, random)
    if not metrics.empty:
        _evaluation(root, asked, metrics, random)


def _json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def _csv(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)


def _picture(path: Path, random: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(random.integers(0, 255, (60, 180, 3), dtype=np.uint8)).save(path)


def _dataset(root: Path, name: str, dataset: dict, random: np.random.Generator) -> None:
    contrasts = {contrast: SEQUENCES[contrast] for contrast in dataset["contrasts"]}
    for session in dataset["sessions"]:
        _json(
            root / f"check_scans/{name}/{session}.json",
            {
                contrast: {
                    "path": f"{session}_{contrast}.nii.gz",
                    **sequence.to_mapping(),
                    "shape": [SIZE, SIZE, 3],
                    "spacing": [1.0, 1.0, 5.0],
                }
                for contrast, sequence in contrasts.items()
            },
        )
        virtual = dataset["kind"] == "virtual"
        _json(
            root / f"register/{name}/{session}/registration.json",
            {
                contrast: {
                    "transform": "rigid",
                    "residual_mm": 0.0
                    if contrast == dataset["reference"]
                    else random.uniform(0, 1),
                    "residual_kind": "simulated motion" if virtual else "estimated",
                }
                for contrast in contrasts
            },
        )
        _csv(
            root / f"bias_quality/{name}/{session}/bias.csv",
            [
                {"contrast": c, "tissue": t, "n": 500, "cv_raw": 0.15, "cv_corrected": 0.06}
                for c in contrasts
                for t in TISSUES.values()
            ],
        )
        for stage in ("register", "segment", "bias_quality"):
            _picture(root / stage / name / session / "quality.png", random)
    patients: dict[str, list[str]] = {}
    for session, patient in dataset["sessions"].items():
        patients.setdefault(patient, []).append(session)
    for patient, sessions in patients.items():
        _slices(root, name, patient, sessions, contrasts, random)


def anatomy(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Labels and PD, T1, T2 [3, row, column] of an ellipse of fat around muscle."""
    rows, columns = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    distance = np.hypot(rows / random.uniform(0.6, 0.9), columns / random.uniform(0.7, 0.95))
    labels = np.where(distance < 0.7, 2, np.where(distance < 1, 1, 0))
    maps = np.zeros((3, SIZE, SIZE))
    for label, tissue in TISSUES.items():
        for i, parameter in enumerate(("PD", "T1", "T2")):
            maps[i][labels == label] = TRUTH[tissue][parameter]
    return labels.astype(np.uint8), maps


def _slices(root, dataset, patient, sessions, contrasts, random) -> None:
    labels, maps = anatomy(random)
    origins = [(session, index) for session in sessions for index in range(3)]
    inside = labels > 0
    images = np.zeros((len(origins), len(contrasts), SIZE, SIZE), dtype=np.float32)
    for i, sequence in enumerate(contrasts.values()):
        images[:, i, inside] = signal(sequence, maps[0][inside], maps[1][inside], maps[2][inside])
    images += random.normal(0, 0.01, images.shape).astype(np.float32)
    repeated = np.repeat(labels[None], len(origins), axis=0)
    PatientSlices(
        patient=patient,
        contrasts=contrasts,
        images=images,
        body=(repeated > 0).astype(np.uint8),
        tissues=repeated,
        tissue_names=TISSUES,
        sessions=tuple(session for session, _ in origins),
        indices=tuple(index for _, index in origins),
        scale=800.0,
        spacing=(1.0, 1.0),
        geometry={},
    ).write(root / f"slices/{dataset}/{patient}")
    if len(contrasts) > 2:
        folder = root / f"fit_maps/{dataset}/{patient}"
        folder.mkdir(parents=True)
        for i, parameter in enumerate(("PD", "T1", "T2")):
            values = np.repeat(maps[i][None], len(origins), axis=0).astype(np.float32)
            np.save(folder / f"{parameter}map.npy", values)


def _experiment(root, name, values, dataset, random) -> pd.DataFrame:
    patients = list(dict.fromkeys(dataset["sessions"].values()))
    folds = values["folds"]
    split = []
    for fold in range(folds):
        for i, patient in enumerate(patients):
            place = "test" if i % max(folds, 2) == fold else "train"
            if place == "train" and (i - 1) % max(folds, 2) == fold and folds > 1:
                place = "validation"
            split.append({"fold": fold, "patient": patient, "anatomy": patient, "split": place})
    _csv(root / f"split/{name}.csv", split)
    rows = []
    contrasts, pairs = dataset["contrasts"], values["pairs"]
    for fold in range(folds):
        tested = [row["patient"] for row in split if row["fold"] == fold and row["split"] == "test"]
        for model in values["models"]:
            runs = {model: pairs}
            if model in values.get("one_pair", []):
                runs = {
                    f"{model}.{source}.{target}": [[source, target]] for source, target in pairs
                }
            for run, held in runs.items():
                _training(root / f"train/{name}/{run}/fold-{fold}", model, random)
                folder = root / f"predict/{name}/{run}/fold-{fold}"
                _prediction(root, folder, values["dataset"], tested, contrasts, held, model, random)
        for patient in tested:
            for model in (*values["models"], *BASELINES):
                for source, target in pairs:
                    for region in ("body", *TISSUES.values()):
                        rows += _values(model, source, target, region, random, {
                            "experiment": name, "dataset": values["dataset"], "fold": fold,
                            "patient": patient,
                        })  # fmt: skip
    return pd.DataFrame(rows)


def _level(model: str) -> float:
    return LEVELS.get(model, LEVELS["unet"])


def _values(model, source, target, region, random, keys) -> list[dict]:
    same = source == target
    nrmse = 0.0 if same and model == "do_nothing" else _level(model) * random.uniform(0.8, 1.2)
    found = {
        "nrmse": nrmse,
        "mae": nrmse / 4,
        "psnr": np.inf if nrmse == 0 else -20 * np.log10(nrmse / 2),
        "ssim": 1 - nrmse,
        "bias": random.normal(0, nrmse / 10),
    }
    return [
        {**keys, "model": model, "source": source, "target": target, "region": region,
         "metric": metric, "value": value, "data_range": RANGES[target]}
        for metric, value in found.items()
    ]  # fmt: skip


def _training(folder: Path, model: str, random: np.random.Generator) -> None:
    _json(
        folder / "card.json",
        {"system": model, "settings": {"epochs": 2}, "torch": "2.13.0", "machine": "cpu"},
    )
    rows = []
    names = {"simko": ["generator loss", "accuracy real", "accuracy fake", "accuracy GAN"]}
    for phase in {"simko": ("pretraining", "adversarial")}.get(model, ("training",)):
        for name in names.get(model, ["training loss", "validation nrmse"]):
            for step in range(0, 500, 20):
                rise = 1 - np.exp(-step / 150)
                value = rise if "accuracy" in name else 1 - 0.95 * rise
                value = float(np.clip(value + random.normal(0, 0.02), 0.01, 1))
                rows.append(
                    {"phase": phase, "step": step, "seconds": step / 10, "name": name,
                     "value": value}
                )  # fmt: skip
    _csv(folder / "losses.csv", rows)


def _prediction(root, folder, dataset, tested, contrasts, pairs, model, random) -> None:
    stores = [PatientSlices.open(root / f"slices/{dataset}/{patient}") for patient in tested]
    index = [
        {"patient": store.patient, "session": session, "slice": i}
        for store in stores
        for i, session in enumerate(store.sessions)
    ]
    _csv(folder / "index.csv", index)
    targets = np.concatenate([store.images for store in stores])
    images = targets[:, [contrasts.index(target) for _, target in pairs]]
    images = images + random.normal(0, _level(model) / 8, images.shape)
    np.save(folder / "predictions.npy", images.astype(np.float16))
    sources = list(dict.fromkeys(source for source, _ in pairs)) if model == "simko" else []
    _json(
        folder / "predictions.json",
        {"contrasts": contrasts, "pairs": pairs, "map_sources": sources, "system": model},
    )
    if sources:
        maps = np.zeros((len(targets), len(sources), 3, SIZE, SIZE), dtype=np.float16)
        maps[:] = anatomy(random)[1]
        np.save(folder / "maps.npy", maps)


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


def summarise(metrics: pd.DataFrame) -> pd.DataFrame:
    """Means, SDs and stand-in intervals over patients, each pair and all pairs together."""
    keys = ["experiment", "dataset", "model", "source", "target", "region", "metric"]
    others = metrics[metrics["source"] != metrics["target"]].assign(source="all", target="all")
    pooled = others.groupby([*keys, "patient"], as_index=False)["value"].mean()
    rows = pd.concat([metrics, pooled])
    found = rows.groupby(keys, sort=False)["value"].agg(["size", "mean", "std"]).reset_index()
    half = 1.96 * found["std"] / np.sqrt(found["size"])
    return found.rename(columns={"size": "n", "std": "sd"}).assign(
        low=found["mean"] - half, high=found["mean"] + half
    )


def _evaluation(root, asked, metrics, random) -> None:
    folder = root / "evaluation"
    folder.mkdir()
    metrics.to_parquet(folder / "metrics.parquet")
    metrics.to_csv(folder / "metrics.csv", index=False)
    with np.errstate(invalid="ignore"):
        summarise(metrics).to_csv(folder / "summary.csv", index=False)
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
    _csv(folder / "tissues.csv", rows)
