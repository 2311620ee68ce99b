"""A cluster for the tests of this folder, and Snakemake on it through the profile."""

import shutil
import tempfile
from functools import partial
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster, missing_programs
from tests.slurm.runs import start
from tests.workflow.conftest import find_snakemake

INSTALL = "apt-get install --no-install-recommends slurmctld slurmd slurm-client munge"


@pytest.fixture(scope="session")
def cluster():
    if missing := missing_programs():
        pytest.skip(f"{missing[0]} is not installed; on Debian: {INSTALL}")
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    machine = Cluster(folder)
    try:
        machine.start()
        yield machine
    finally:
        machine.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def begin(cluster):
    """Start Snakemake through profiles/slurm in a folder; its output goes to a file there."""
    program = find_snakemake()
    if program is None:
        pytest.skip("snakemake is not installed: run `make setup`")
    return partial(start, program, cluster)
