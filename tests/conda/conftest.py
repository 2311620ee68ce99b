"""Snakemake as a user calls it, with and without a conda on the path."""

import os
import shutil
from pathlib import Path

import pytest

from tests.conda.standin import write_commands
from tests.workflow.conftest import snakemake as snakemake


@pytest.fixture
def no_conda(monkeypatch):
    """Take every folder that holds a conda off the path."""
    folders = os.environ["PATH"].split(os.pathsep)
    kept = [folder for folder in folders if not (Path(folder) / "conda").exists()]
    monkeypatch.setenv("PATH", os.pathsep.join(kept))
    assert not shutil.which("conda")


@pytest.fixture
def some_conda(monkeypatch, tmp_path):
    """Put a conda on the path that is enough for dry runs."""
    programs = write_commands(tmp_path / "conda", "file:///nowhere")
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
