"""Run Snakemake as a user does, in a folder of its own."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml
from skimage import io

ROOT = Path(__file__).parents[2]
TINY = Path(__file__).with_name("tiny.yaml")


def planned(output):
    """Rules that a dry run would run."""
    return set(re.findall(r"^\s*(?:local)?rule (\w+):", output, re.MULTILINE))


def find_snakemake():
    made_by_make = ROOT / ".venv/driver/bin/snakemake"
    return str(made_by_make) if made_by_make.exists() else shutil.which("snakemake")


def run_told(command, cwd, environment, check=True):
    """Run a command to its end; its output, of both kinds, is in `stdout`."""
    done = subprocess.run(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        env=environment,
    )
    assert not check or done.returncode == 0, done.stdout[-6000:]
    return done


@pytest.fixture(scope="session")
def snakemake():
    """Call Snakemake in a folder; gives the finished process, its output in `stdout`."""
    program = find_snakemake()
    if program is None:
        pytest.skip("snakemake is not installed: run `make setup`")

    def call(folder, *arguments, configfile=TINY, check=True):
        command = [program, "--snakefile", ROOT / "Snakefile", "--directory", folder]
        # The targets come first: --configfile takes all that follows for files.
        command += [*arguments, "--cores", "2", "--configfile", configfile]
        return run_told(command, ROOT, {**os.environ, "NO_COLOR": "1"}, check)

    return call


@pytest.fixture(scope="session")
def finished(snakemake, tmp_path_factory):
    """Folder of a finished run on the tiny configuration."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "pictures").mkdir()
    disc = np.hypot(*(np.indices((60, 50)) - 25)) < 20
    for name, grey in (("pd", 200), ("t2", 90)):
        io.imsave(folder / f"pictures/{name}.png", (grey * disc).astype(np.uint8))
    snakemake(folder, "results/report.html")
    return folder


def write_config(folder, **changes):
    config = yaml.safe_load(TINY.read_text()) | changes
    path = Path(folder) / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path
