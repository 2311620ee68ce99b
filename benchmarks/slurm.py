"""The tiny workflow of the tests on a real SLURM cluster of this machine, through profiles/slurm.

apt-get install --no-install-recommends slurmctld slurmd slurm-client munge
.venv/stages/bin/python -m benchmarks.slurm --output benchmarks/results/DATE-slurm.md
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import pandas as pd

from benchmarks.machine import describe
from tests.slurm.cluster import CPUS, GPUS, Cluster, find
from tests.slurm.runs import queue_of, start, write_pictures
from tests.workflow.conftest import TINY, find_snakemake


def seconds(elapsed: str) -> int:
    """Seconds of `M:SS` or `H:MM:SS`."""
    total = 0
    for part in elapsed.split(":"):
        total = 60 * total + int(part)
    return total


def measure(cluster: Cluster, folder: Path) -> str:
    """Run the workflow in an empty folder; gives the page."""
    write_pictures(folder, ["pd", "t2"])
    program = str(find_snakemake())
    began = time.monotonic()
    process = start(program, cluster, folder, "results/report.html", configfile=TINY)
    code = process.wait()
    wall = time.monotonic() - began
    if code != 0:
        raise SystemExit((folder / "snakemake.txt").read_text()[-6000:])
    jobs = pd.DataFrame(
        [(job.rule, job.partition, job.state, job.memory, seconds(job.elapsed))
         for job in queue_of(cluster)],
        columns=["stage", "partition", "state", "memory", "seconds"],
    )  # fmt: skip
    ended = jobs["state"].value_counts()
    version = subprocess.run(
        [str(find("slurmctld")), "-V"], capture_output=True, text=True
    ).stdout.strip()  # fmt: skip
    rows = [
        f"| {stage} | {len(of)} | {of['partition'].iloc[0]} | {', '.join(of['memory'].unique())} "
        f"| {of['seconds'].median():.0f} | {of['seconds'].max()} |"
        for stage, of in jobs.groupby("stage", sort=False)
    ]
    return "\n".join(
        [
            "# The tiny workflow on SLURM",
            "",
            f"`python -m benchmarks.slurm`: {version}, one machine that pretends to have {CPUS} "
            f"CPUs and {GPUS} GPUs, without slurmdbd; profiles/slurm, asking after jobs from the "
            f"first second on. results/report.html after {wall:.0f} s and {len(jobs)} jobs: "
            f"{', '.join(f'{count} {state}' for state, count in ended.items())}.",
            "",
            f"Machine: {describe()}",
            "",
            "| stage | jobs | partition | memory | median s | longest s |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as place,
        tempfile.TemporaryDirectory() as folder,
    ):
        cluster = Cluster(Path(place))
        try:
            cluster.start()
            page = measure(cluster, Path(folder))
        finally:
            cluster.stop()
    print(page)
    if arguments.output:
        arguments.output.write_text(page)


if __name__ == "__main__":
    main()
