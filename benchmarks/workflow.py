"""Seconds and memory of Snakemake's own work: dry runs of cohorts of growing size.

    python -m benchmarks.workflow [--patients 100 1000 10000] --output FILE.md

The cohort is config/examples/pelvis_cohort.yaml (five contrasts, one experiment) with other numbers
of patients, in an empty folder, up to the report: everything would run. Once its patients are
virtual, once they are a BIDS folder of as many empty scans with sidecars. Last comes a run of the
default configuration that finds all done: its results are empty files and folders, which Snakemake
was told to take for made (--touch); it looks into none of them.
"""

import argparse
import json
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.machine import describe, run_measured

ROOT = Path(__file__).parents[1]
COHORT = ROOT / "config/examples/pelvis_cohort.yaml"
CONTRASTS = ("T1w", "T2w", "PDw", "FLAIR", "T2starw")
SIDECAR = json.dumps({"EchoTime": 0.01, "RepetitionTime": 0.5})
MODELS = ["unet", "simko", "pgan"]
# Patients that share a job, where they do.
TOGETHER = 100
DEFAULT = ROOT / "config/config.yaml"
# Of results that are files; the others are folders.
FILES = {".json", ".csv", ".parquet", ".html", ".tsv"}
SNAKEMAKE = ROOT / ".venv/driver/bin/snakemake"
GOAL, MOST = 15, 300  # seconds and MiB of 10,000 patients
NOTHING = 5  # seconds of a run that has nothing to do


def plan(folder: Path, configuration: Path, *options: str) -> dict[str, Any]:
    """Call Snakemake in a folder, for the report."""
    snakemake = [str(SNAKEMAKE), "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    snakemake += ["--cores", "2", "--quiet", "rules", *options]
    snakemake += [f"--configfile={configuration}", "results/report.html"]
    found = run_measured(snakemake)
    if found["status"]:
        raise SystemExit(found["told"][-4000:])
    return found


def pretend(folder: Path, configuration: Path) -> int:
    """Let Snakemake take a configuration for finished; give the number of its results."""
    rows = plan(folder, configuration, "--summary")["told"].splitlines()
    results = [row.split("\t")[0] for row in rows if row.startswith("results/")]
    for result in results:
        path = folder / result
        if path.suffix in FILES or path.name.startswith("."):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        else:
            path.mkdir(parents=True, exist_ok=True)
    plan(folder, configuration, "--touch")
    return len(results)


def virtual_cohort(patients: int, patients_per_job: int, folder: Path) -> Path:
    """Write the configuration of so many virtual patients."""
    [(name, _)] = yaml.safe_load(COHORT.read_text())["datasets"].items()
    changed = {
        "include": [str(COHORT)],
        "patients_per_job": patients_per_job,
        "datasets": {name: {"virtual": {"patients": patients}}},
    }
    path = folder / "cohort.yaml"
    path.write_text(yaml.safe_dump(changed))
    return path


def bids_cohort(patients: int, patients_per_job: int, folder: Path) -> Path:
    """Write a BIDS folder of so many patients, whose scans are empty, and its configuration."""
    for number in range(patients):
        anat = folder / f"bids/sub-{number:05d}/anat"
        anat.mkdir(parents=True)
        for contrast in CONTRASTS:
            (anat / f"sub-{number:05d}_{contrast}.nii.gz").touch()
            (anat / f"sub-{number:05d}_{contrast}.json").write_text(SIDECAR)
    dataset = {
        "bids": {"root": "bids"},
        "contrasts": {contrast: {} for contrast in CONTRASTS},
        "reference": CONTRASTS[0],
    }
    experiment = {"dataset": "scans", "split": {"validation": 5, "test": 5}, "models": MODELS}
    configuration = {
        "patients_per_job": patients_per_job,
        "datasets": {"scans": dataset},
        "experiments": {"all": experiment},
        "models": {system: {"system": system} for system in MODELS},
    }
    path = folder / "cohort.yaml"
    path.write_text(yaml.safe_dump(configuration))
    return path


def measured(
    kind: str, cohort: Callable[[int, int, Path], Path], patients: int, patients_per_job: int
) -> str:
    """Plan a cohort; give its row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        configuration = cohort(patients, patients_per_job, Path(folder))
        found = plan(Path(folder), configuration, "--dry-run")
    (*_, jobs) = re.findall(r"^total\s+(\d+)", found["told"], re.MULTILINE)
    return row(f"{patients:,} patients, {kind}", patients_per_job, int(jobs), found)


def row(what: str, patients_per_job: int, jobs: int, found: Mapping[str, Any]) -> str:
    """Write a row of the table."""
    spent = f"{found['seconds']:.1f} | {found['mib']:.0f}"
    return f"| {what} | {patients_per_job} | {jobs:,} | {spent} |"


def main() -> None:
    """Plan each, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--output", type=Path, help="Markdown file; printed besides")
    arguments = parser.parse_args()
    rows = [
        measured(kind, cohort, patients, patients_per_job)
        for kind, cohort in (("virtual", virtual_cohort), ("BIDS", bids_cohort))
        for patients_per_job in (1, TOGETHER)
        for patients in arguments.patients
    ]
    with tempfile.TemporaryDirectory() as folder:
        count = pretend(Path(folder), DEFAULT)
        found = plan(Path(folder), DEFAULT)
    assert "Nothing to be done" in found["told"]
    rows.append(row(f"the default, its {count} results there", 1, 0, found))
    text = (
        "# Snakemake's own work\n\n`python -m benchmarks.workflow`: dry runs up to the report. "
        f"The goals: {GOAL} s and {MOST} MiB for 10,000 patients, {NOTHING} s where nothing is to "
        f"be done.\n\nMachine: {describe()}\n\n"
        "| | patients a job | jobs | s | peak MiB |\n|---|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
    )
    print(text)
    if arguments.output:
        arguments.output.write_text(text)


if __name__ == "__main__":
    main()
