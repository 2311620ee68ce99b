"""The machine and the packages, as a run records them."""

import getpass
import importlib.metadata
import json
import platform
import sys
from pathlib import Path

from pipeline_lib.machine import describe_machine, packages_of


def test_the_machine_is_told_without_its_name_or_that_of_its_user():
    machine = describe_machine()
    assert machine["cores"] >= 1
    assert machine["memory_gib"] > 0.1
    words = json.dumps(machine).lower().replace("debian", "")
    # A name of a few letters, such as `vm`, may be part of another word.
    for name in (platform.node(), getpass.getuser()):
        assert len(name) < 4 or name.lower() not in words


def test_the_packages_of_an_environment_are_all_there():
    packages = packages_of(Path(sys.prefix))
    assert packages["python"] == platform.python_version()
    assert packages["numpy"] == importlib.metadata.version("numpy")
    assert packages["pytest"] == importlib.metadata.version("pytest")


def test_packages_of_conda_are_those_of_its_records(tmp_path):
    records = tmp_path / "conda-meta"
    records.mkdir()
    for name in ("python-3.12.4-h1_0_cpython", "scikit-image-0.25.2-py312_0"):
        (records / f"{name}.json").write_text("{}")
    (tmp_path / "lib/python3.12/site-packages").mkdir(parents=True)
    assert packages_of(tmp_path) == {"python": "3.12.4", "scikit-image": "0.25.2"}
