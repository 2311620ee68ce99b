"""Seconds and memory of Snakemake's own work: dry runs of cohorts of growing size.

    python -m benchmarks.workflow [--patients 100 1000 10000] [--finished FOLDER] --output FILE.md

The cohort is config/examples/pelvis_cohort.yaml (five contrasts, one experiment) with other numbers
of patients, in an empty folder, up to the report: everything would run. `--finished` names a folder
with the finished results of the default configuration, where nothing would.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from benchmarks.machine import describe

ROOT = Path(__file__).parents[1]
COHORT = ROOT / "config/examples/pelvis_cohort.yaml"
SNAKEMAKE = ROOT / ".venv/driver/bin/snakemake"
GOAL, MOST = 15, 300  # seconds and MiB of 10,000 patients
NOTHING = 5  # seconds of a run that has nothing to do
# Runs a command and tells its seconds and peak memory, its own alone.
MEASURE = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"status": done.returncode, "seconds": time.perf_counter() - start,
                  "mib": used.ru_maxrss / 1024, "told": (done.stdout + done.stderr)[-4000:]}))
"""


def dry_run(folder: Path, configuration: Path) -> dict[str, float | str]:
    """Plan the report in a folder."""
    command = [
        sys.executable,
        "-c",
        MEASURE,
        str(SNAKEMAKE),
        "--snakefile",
        str(ROOT / "Snakefile"),
    ]
    command += ["--directory", str(folder), "--cores", "2", "--dry-run", "--quiet", "rules"]
    command += [f"--configfile={configuration}", "results/report.html"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    if found["status"]:
        raise SystemExit(found["told"])
    return found


def cohort(patients: int, folder: Path) -> Path:
    """Write the configuration of so many patients."""
    [(name, _)] = yaml.safe_load(COHORT.read_text())["datasets"].items()
    path = folder / "cohort.yaml"
    datasets = {name: {"virtual": {"patients": patients}}}
    path.write_text(yaml.safe_dump({"include": [str(COHORT)], "datasets": datasets}))
    return path


def main() -> None:
    """Plan each, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--finished", type=Path, help="folder of a finished default run")
    parser.add_argument("--output", type=Path, help="Markdown file; printed besides")
    arguments = parser.parse_args()
    rows = []
    for patients in arguments.patients:
        with tempfile.TemporaryDirectory() as folder:
            found = dry_run(Path(folder), cohort(patients, Path(folder)))
        jobs = re.findall(r"^total\s+(\d+)", str(found["told"]), re.MULTILINE)
        rows.append(
            f"| {patients:,} patients, nothing there | {int(jobs[-1]) if jobs else 0:,} "
            f"| {found['seconds']:.1f} | {found['mib']:.0f} |"
        )
    if arguments.finished:
        found = dry_run(arguments.finished, ROOT / "config/config.yaml")
        rows.append(f"| the default, all there | 0 | {found['seconds']:.1f} | {found['mib']:.0f} |")
    text = (
        "# Snakemake's own work\n\n`python -m benchmarks.workflow`: dry runs up to the report. "
        f"The goals: {GOAL} s and {MOST} MiB for 10,000 patients, {NOTHING} s where nothing is to "
        f"be done.\n\nMachine: {describe()}\n\n| | jobs | s | peak MiB |\n|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
    )
    print(text)
    if arguments.output:
        arguments.output.write_text(text)


if __name__ == "__main__":
    main()
