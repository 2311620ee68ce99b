"""Snakemake on a cluster through profiles/slurm, and the jobs that it submitted."""

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
from skimage import io

from tests.slurm.cluster import Cluster
from tests.workflow.conftest import ROOT

# A job of some seconds is not asked after for forty.
QUICKLY = ("--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "20")


class Submitted(NamedTuple):
    """A job as squeue lists it."""

    number: int
    partition: str
    state: str
    memory: str
    elapsed: str
    comment: str

    @property
    def rule(self) -> str:
        return re.sub(r"^rule_|_wildcards_.*", "", self.comment)


def start(
    program: str, cluster: Cluster, folder: Path, *arguments: str, configfile: Path
) -> subprocess.Popen:
    """Start Snakemake in a folder; its output goes to snakemake.txt there."""
    command = [
        program, "--snakefile", ROOT / "Snakefile", "--directory", folder, *arguments,
        "--workflow-profile", ROOT / "profiles/slurm", *QUICKLY, f"--configfile={configfile}",
    ]  # fmt: skip
    with (folder / "snakemake.txt").open("w") as output:
        return subprocess.Popen(
            list(map(str, command)), stdout=output, stderr=subprocess.STDOUT, cwd=ROOT,
            env={**os.environ, **cluster.environment, "NO_COLOR": "1"},
        )  # fmt: skip


def queue_of(cluster: Cluster) -> list[Submitted]:
    """List all jobs that Snakemake submitted, in their order."""
    lines = cluster.ask("squeue", "-h", "--states=all", "-o", "%A|%P|%T|%m|%M|%k").splitlines()
    jobs = [line.split("|") for line in lines]
    return sorted(Submitted(int(number), *rest) for number, *rest in jobs if rest[-1] != "(null)")


def write_pictures(folder: Path, names: list[str]) -> None:
    """Draw discs of one size and several greys."""
    (folder / "pictures").mkdir()
    disc = np.hypot(*(np.indices((32, 32)) - 16)) < 12
    for number, name in enumerate(names):
        grey = 200 - 35 * number
        io.imsave(folder / f"pictures/{name}.png", (grey * disc).astype(np.uint8))
