"""Whether bfloat16 changes what a training reaches, beyond what another seed changes.

    python -m benchmarks.precision results --output benchmarks/results/2026-11-21-precision.md

takes slices and splits of a finished run of config/config.yaml, trains one system of each family
at its smoke settings with several seeds in float32 and in bfloat16, two trainings beside each
other, and gives the validation MSE that each reached. On a device without bfloat16 it is
emulated, with the same rounding.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import yaml

from pipeline_lib.checks import transfers_one_pair
from pipeline_lib.configuration import read_configuration

ROOT = Path(__file__).parents[1]
# A model of each family, in the experiment of the default configuration that has it.
MODELS = {
    "unet": "crl2024", "crl_paper": "crl2024", "crl_code": "crl2024", "simko": "simko2021",
    "paramnet_film": "narang2022_param", "alkan_9_masks": "alkan2017_many",
    "pgan": "crl2024_pairs", "resvit": "crl2024_pairs", "ptnet": "crl2024_pairs",
}  # fmt: skip
PRECISIONS = ("float32", "bfloat16")


def main() -> None:
    """Train everything and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="results folder of the default configuration")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--output", type=Path, help="table to write; else it is printed")
    arguments = parser.parse_args()
    default = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    configuration, _ = read_configuration(default, ROOT)
    wanted = [
        (model, precision, seed)
        for model in arguments.models
        for precision in PRECISIONS
        for seed in range(arguments.seeds)
    ]
    with ThreadPoolExecutor(2) as pool:
        reached = pool.map(lambda each: train(arguments.results, configuration, *each), wanted)
        errors = dict(zip(wanted, reached, strict=True))
    text = page(errors, arguments.models, arguments.seeds)
    if arguments.output:
        arguments.output.write_text(text)
    else:
        print(text)


def train(
    results: Path, configuration: dict[str, Any], model: str, precision: str, seed: int
) -> float:
    """Train one model and give its validation MSE."""
    settings = dict(configuration["models"][model], precision=precision)
    name = MODELS[model]
    experiment = configuration["experiments"][name]
    pairs = experiment["pairs"][:1] if transfers_one_pair(settings) else experiment["pairs"]
    unseen = experiment["unseen"]
    options = {
        "seed": seed,
        "experiment": name,
        "model": settings,
        "pairs": pairs,
        "unseen": unseen,
    }
    slices = sorted((results / "slices" / experiment["dataset"]).iterdir())
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", f"pipeline_lib.stages.train_{settings['system'].split('_')[0]}",
            "--slices", *map(str, slices), "--split", str(results / f"split/{name}.csv"),
            "--unpaired", str(results / f"unpair/{name}.csv"), "--fold", "0", "--code", "precision",
            "--checkpoints", f"{folder}/checkpoints", "--output", f"{folder}/model",
            "--options", json.dumps(options),
        ]  # fmt: skip
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)
        card = json.loads(Path(folder, "model/card.json").read_text())
    error = card["metrics"]["validation_mse"]
    print(model, precision, seed, f"{error:.5f}", f"{card['seconds']:.0f} s", file=sys.stderr)
    return error


def page(errors: dict[tuple[str, str, int], float], models: Iterable[str], seeds: int) -> str:
    """Make the table: mean and SD over seeds, and the difference of the means in SDs."""
    rows = []
    for model in models:
        of = {p: [errors[model, p, seed] for seed in range(seeds)] for p in PRECISIONS}
        full, half = of["float32"], of["bfloat16"]
        spread = (stdev(full) ** 2 / 2 + stdev(half) ** 2 / 2) ** 0.5
        rows.append(
            f"| {model} | {mean(full):.5f} ± {stdev(full):.5f} | {mean(half):.5f} ± "
            f"{stdev(half):.5f} | {(mean(half) - mean(full)) / spread:+.1f} |"
        )
    how = (__doc__ or "").split("\n\n", 2)[2].strip()
    return "\n".join(
        [
            "# Float32 and bfloat16", "", f"`python -m benchmarks.precision results` {how}", "",
            f"Validation MSE, mean ± SD over {seeds} seeds; the difference is in SDs over seeds.",
            "", "| model | float32 | bfloat16 | difference |", "|---|---|---|---|", *rows, "",
        ]
    )  # fmt: skip


if __name__ == "__main__":
    main()
