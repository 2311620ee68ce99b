"""What the trainings of a run cost and reached, as one table.

    python -m benchmarks.trainings results --output benchmarks/results/2026-11-21-reduced.md

reads the cards, the benchmark files and the summary that a finished run left in its results
folder, and trains nothing.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd

METRICS = ("nrmse", "psnr", "ssim")
BASELINES = (
    "do_nothing", "training_mean", "look_up_table", "nearest_copy", "least_squares",
    "noise_ceiling", "registration_ceiling",
)  # fmt: skip


def main() -> None:
    """Read a results folder and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--output", type=Path, help="table to write; else it is printed")
    arguments = parser.parse_args()
    text = page(arguments.results)
    if arguments.output:
        arguments.output.write_text(text)
    else:
        print(text)


def page(results: Path) -> str:
    """Make the table of every training, and the baselines of every experiment."""
    summary = pd.read_csv(results / "evaluation/summary.csv")
    cards = sorted(results.glob("train/*/*/fold-*/card.json"))
    read = [json.loads(path.read_text()) for path in cards]
    machines = sorted({card["machine"] for card in read})
    head = (
        "| experiment | model | M weights | steps | s | s a step | peak GiB | GFLOP a step "
        "| validation MSE | NRMSE | PSNR | SSIM |"
    )
    rows = [row(card, summary) for card in read]
    rows += [
        f"| {experiment} | {model} (baseline) {'| ' * 8}| {scores(summary, experiment, model)} |"
        for experiment in dict.fromkeys(card["experiment"] for card in read)
        for model in BASELINES
    ]
    return "\n".join(
        [
            "# Trainings", "",
            f"Machine: {'; '.join(machines)}; torch {read[0]['torch']}. NRMSE, PSNR and SSIM: test "
            "patients' bodies, the mean over an experiment's pairs and then over patients; "
            "peak memory is the GPU's, or without one the process's.", "",
            head, "|" + "---|" * 12, *rows, "",
            "## Against the look-up table", "",
            "NRMSE on the test patients: mean difference with its 95 % interval, the patients in "
            "which the system is better, and the p value of the paired test after Holm's "
            "correction; below 6 patients there is none.", "",
            "| experiment | model | difference | better in | p |", "|---|---|---|---|---|",
            *against_look_up_table(pd.read_csv(results / "evaluation/comparisons.csv")), "",
        ]
    )  # fmt: skip


def against_look_up_table(comparisons: pd.DataFrame) -> list[str]:
    """Rows of how each model does against the look-up table."""
    chosen = comparisons[
        (comparisons["second"] == "look_up_table") & (comparisons["metric"] == "nrmse")
    ]
    return [
        f"| {each.experiment} | {each.first} | {each.difference:+.3f} [{each.low:+.3f}, "
        f"{each.high:+.3f}] | {each.wins} of {each.n} "
        f"| {'' if pd.isna(each.p_holm) else format(each.p_holm, '.3f')} |"
        for each in chosen.itertuples()
    ]


def row(card: dict[str, Any], summary: pd.DataFrame) -> str:
    """One training."""
    error = card["metrics"]["validation_mse"]
    return (
        f"| {card['experiment']} | {card['name']} | {sum(card['parameters'].values()) / 1e6:.2f} "
        f"| {card['steps']} | {card['seconds']:.0f} | {card['seconds'] / card['steps']:.3f} "
        f"| {card['peak_gib']:.2f} | {card['gflop_per_step']:.0f} "
        f"| {'' if error is None else format(error, '.5f')} "
        f"| {scores(summary, card['experiment'], card['name'])} |"
    )


def scores(summary: pd.DataFrame, experiment: str, model: str) -> str:
    """Means over all pairs within the body, for `METRICS`."""
    found = summary[
        (summary["experiment"] == experiment)
        & (summary["model"] == model)
        & (summary["region"] == "body")
        & (summary["source"] == "all")
    ].set_index("metric")["mean"]
    return " | ".join(f"{found[name]:.3f}" if name in found else "" for name in METRICS)


if __name__ == "__main__":
    main()
