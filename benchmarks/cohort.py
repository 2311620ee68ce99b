"""A cohort of virtual pelvis patients through the workflow: five contrasts, 256 x 256 x 24 voxels.

    python -m benchmarks.cohort [--patients 100] --output benchmarks/results/DATE-cohort.md

Runs `snakemake --cores 2 --configfile=config/examples/pelvis_cohort.yaml scans` in a temporary
folder (with another number of patients: on a configuration that includes that one) and times it
from its start to its end. Snakemake's own share is what its jobs did not use of the cores' time:
its start, its scheduling, the cores that wait at the end.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from benchmarks.machine import describe

ROOT = Path(__file__).parents[1]
COHORT = ROOT / "config/examples/pelvis_cohort.yaml"
SNAKEMAKE = ROOT / ".venv/driver/bin/snakemake"
GOAL = 20  # minutes for 100 patients on 2 cores


def configuration(patients: int, folder: Path) -> Path:
    """Give the cohort's configuration, or for another number of patients one that includes it."""
    cohort = yaml.safe_load(COHORT.read_text())
    [(name, dataset)] = cohort["datasets"].items()
    if dataset["virtual"]["patients"] == patients:
        return COHORT
    path = folder / "cohort.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "include": [str(COHORT)],
                "datasets": {name: {"virtual": {"patients": patients}}},
                "experiments": {name: {"split": {"validation": 0, "test": 1}}},
            }
        )
    )
    return path


def job_seconds(folder: Path) -> list[dict[str, str]]:
    """Read what Snakemake measured of each patient's job, from its benchmark files."""
    rows = []
    for path in sorted((folder / "results/benchmarks/simulate").rglob("*.tsv")):
        with path.open(newline="") as file:
            rows += list(csv.DictReader(file, delimiter="\t"))
    return rows


def main() -> None:
    """Run the cohort and write a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=100, help="at least 2")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--output", type=Path, help="Markdown file; left out: the terminal")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        config = configuration(arguments.patients, folder)
        command = [
            str(SNAKEMAKE), "--snakefile", str(ROOT / "Snakefile"), "--directory", temporary,
            "--cores", str(arguments.cores), f"--configfile={config}", "scans",
        ]  # fmt: skip
        start = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        wall = time.perf_counter() - start
        if done.returncode != 0:
            sys.exit(f"Snakemake failed:\n{done.stdout}\n{done.stderr}")
        jobs = job_seconds(folder)
        files = [path for path in (folder / "results/simulate").rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
    if len(jobs) != arguments.patients:
        sys.exit(f"{len(jobs)} benchmark files for {arguments.patients} patients")
    text = report(arguments, wall, jobs, len(files), size)
    if arguments.output:
        arguments.output.write_text(text)
    else:
        print(text)


def report(
    arguments: argparse.Namespace, wall: float, jobs: list[dict[str, str]], files: int, size: int
) -> str:
    """Write the table in Markdown."""
    count, cores = arguments.patients, arguments.cores
    in_jobs = sum(float(job["s"]) for job in jobs)
    of_processor = sum(float(job["cpu_time"]) for job in jobs)
    largest = max(float(job["max_rss"]) for job in jobs)
    rows = [
        ("wall time", f"{wall:.0f} s ({wall / 60:.1f} min)"),
        ("wall time a patient", f"{wall / count:.2f} s"),
        (
            "a patient's job",
            f"{in_jobs / count:.2f} s, {of_processor / count:.2f} s of a processor",
        ),
        (
            "not spent in jobs",
            f"{100 * (1 - in_jobs / (cores * wall)):.0f} % of {cores} cores' time",
        ),
        ("largest job", f"{largest:.0f} MB of memory"),
        ("disk", f"{size / 1e9:.2f} GB in {files} files, {size / count / 1e6:.0f} MB a patient"),
    ]
    table = "".join(f"| {name} | {value} |\n" for name, value in rows)
    return (
        f"# A cohort of {count} virtual patients\n\n"
        f"`python -m benchmarks.cohort --patients {count} --cores {cores}`: pelvis, five "
        "contrasts, 256 x 256 x 24 voxels, with truth, through Snakemake. "
        f"{describe()} "
        f"The goal is {GOAL} minutes for 100 patients on 2 cores.\n\n"
        f"| measured | |\n|---|---|\n{table}"
    )


if __name__ == "__main__":
    main()
