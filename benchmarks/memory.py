"""Peak memory and seconds of every stage that sees all patients, by the number of patients.

    python -m benchmarks.memory [--patients 100 1000 10000] [--without decide ...] --output FILE.md

Patients of 3 slices of 32 x 32 pixels in 3 contrasts: what grows is what is held of each patient.
A tenth of the patients validates; half is tested, but not more than 2,000, as each takes a second.
Each stage runs as its rule calls it, in a process of its own; its peak is that of its resident set,
mapped pages of files included.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.machine import describe, run_measured
from benchmarks.memory_cohort import NAME, PAIRS, ROOT, configuration, make_cohort, names

MOST_TESTED = 2000
Call = tuple[str, str, dict[str, Any], list[str]]


def calls(patients: int) -> Iterator[Call]:
    """Give each stage in the order in which they run: row, stage, options, other arguments."""
    found = configuration()
    seed, [experiment] = found["seed"], found["experiments"].values()
    everyone = names(patients)
    stores = [f"results/slices/{NAME}/{patient}" for patient in everyone]
    fold = ["--split", f"results/split/{NAME}.csv", "--fold", "0"]
    of_fold = ["--slices", *stores, *fold]
    split = {"validation": patients // 10, "test": min(patients // 2, MOST_TESTED)}
    listed = ["--patients", f"results/patients/{NAME}.json"]
    arguments = [*listed, "--output", f"results/split/{NAME}.csv"]
    yield "split", "split", {"seed": seed, "split": split}, arguments
    leaked = {"seed": seed, "split": {"leaked": "image", "train": 0.5}}
    arguments = [*listed, "--slices", *stores, "--output", "results/leaked.csv"]
    yield "split (leaked)", "split", leaked, arguments
    unpaired = f"results/unpair/{NAME}.csv"
    yield (
        "unpair", "unpair", {"unpairing": experiment["unpairing"], "seed": seed},
        ["--slices", *stores, "--output", unpaired],
    )  # fmt: skip
    for model in ("unet", "simko"):
        few = {key: 4 for key in found["models"][model] if key.endswith("steps")}
        options = {
            "seed": seed, "experiment": NAME, "model": {**found["models"][model], **few},
            "pairs": PAIRS, "unseen": [],
        }  # fmt: skip
        trained = f"{NAME}/{model}/fold-0"
        arguments = [*of_fold, "--code", "none", "--checkpoints", f"results/checkpoints/{trained}"]
        arguments += ["--output", f"results/train/{trained}"]
        arguments += ["--unpaired", unpaired] if model == "simko" else []
        yield f"train ({model})", f"train_{model}", options, arguments
        arguments = [*of_fold, "--model", f"results/train/{trained}"]
        arguments += ["--output", f"results/predict/{trained}"]
        yield f"predict ({model})", "predict", {}, arguments
        options = {
            "experiment": NAME, "dataset": NAME, "pairs": PAIRS, "unseen": [], "paper": None,
            "model": model,
        }  # fmt: skip
        arguments = [*of_fold, "--predictions", f"results/predict/{trained}"]
        arguments += ["--output", f"results/evaluate/{trained}.parquet"]
        yield f"evaluate ({model})", "evaluate", options, arguments
    options = {**options, "seed": seed, "signal": "exact"}
    registered = [f"results/quality/{NAME}/{patient}" for patient in everyone]
    baselines = f"results/evaluate_baselines/{NAME}/fold-0.parquet"
    arguments = [*of_fold, "--registered", *registered, "--output", baselines]
    yield "evaluate_baselines", "evaluate_baselines", options, arguments
    trained = f"{NAME}/simko/fold-0"
    arguments = [*of_fold, "--model", f"results/train/{trained}"]
    arguments += ["--output", f"results/decide/{trained}.csv"]
    yield "decide", "decide", {"seed": seed, "signal": "exact"}, arguments
    maps = [f"results/fit_maps/{NAME}/{patient}" for patient in everyone]
    options = {"experiment": NAME, "model": "simko", "fold": 0}
    arguments = [*of_fold[:-2], "--predictions", f"results/predict/{trained}", "--maps", *maps]
    arguments += ["--output", f"results/map_tissues/{trained}.csv"]
    yield "map_tissues", "map_tissues", options, arguments
    models = ["unet", "simko"]
    parts = [baselines, *(f"results/evaluate/{NAME}/{model}/fold-0.parquet" for model in models)]
    options = {"seed": seed, "evaluate": found["evaluate"], "experiments": {NAME: models}}
    arguments = ["--parts", *parts, "--maps", *maps]
    arguments += ["--map-tables", f"results/map_tissues/{trained}.csv"]
    yield "evaluation", "evaluation", options, [*arguments, "--output", "results/evaluation"]
    contrasts = list(found["datasets"][NAME]["contrasts"])
    dataset = {"kind": "virtual", "contrasts": contrasts, "reference": "PDw"}
    shown = {"dataset": NAME, "folds": 1, "models": models, "pairs": PAIRS, "paper": "simko2021"}
    options = {
        "seed": seed, "configuration": found, "datasets": {NAME: dataset},
        "experiments": {NAME: shown},
    }  # fmt: skip
    arguments = ["--results", "results", *listed, "--output", "results/report.html"]
    yield "report", "report", options, arguments


def measured(folder: Path, stage: str, options: dict[str, Any], arguments: list[str]) -> Any:
    """Run a stage in the folder of a cohort: its seconds, its peak, what it said."""
    command = [sys.executable, "-m", f"pipeline_lib.stages.{stage}"]
    command += ["--options", json.dumps(options), *arguments]
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    return run_measured(command, folder, environment)


def main() -> None:
    """Run all stages for each number of patients, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--without", nargs="*", default=[], help="rows that no stage needs")
    parser.add_argument("--output", type=Path, help="Markdown file; printed besides")
    arguments = parser.parse_args()
    peaks: dict[str, list[str]] = {}
    for patients in arguments.patients:
        with tempfile.TemporaryDirectory() as folder:
            make_cohort(Path(folder), patients)
            asked = (call for call in calls(patients) if call[0] not in arguments.without)
            for row, stage, options, words in asked:
                found = measured(Path(folder), stage, options, words)
                cell = f"{found['mib']:.0f}, {found['seconds']:.0f} s"
                if found["status"]:
                    cell = "failed: " + found["told"].strip().splitlines()[-1]
                print(f"{patients:,} patients, {row}: {cell}", flush=True)
                peaks.setdefault(row, []).append(cell)
            page = Path(folder) / "results/report.html"
            if page.exists():
                size = f"{page.stat().st_size / 1e6:.1f} MB"
                peaks.setdefault("the page itself", []).append(size)
    heads = "".join(f" {patients:,} patients |" for patients in arguments.patients)
    lines = [f"| | {heads.strip()}", "|---" * (1 + len(arguments.patients)) + "|"]
    lines += [f"| `{row}` | {' | '.join(cells)} |" for row, cells in peaks.items()]
    text = (
        "# Peak memory of the stages that see all patients\n\n`python -m benchmarks.memory`: MiB "
        "and seconds of each stage. Patients of 3 slices of 32 x 32 pixels in 3 contrasts; a tenth "
        f"of them validates, half is tested (at most {MOST_TESTED:,}).\n\nMachine: {describe()}\n\n"
        + "\n".join(lines)
    )
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
