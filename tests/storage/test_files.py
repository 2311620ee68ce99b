"""Profiles, pins and the Dockerfile against what they stand beside."""

import re

import pytest
import yaml

from tests.workflow.conftest import ROOT

pytestmark = pytest.mark.storage


def pins(name):
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().split()
    return dict(line.split("==") for line in lines)


def settings(path):
    return yaml.safe_load((ROOT / "profiles" / path).read_text())


@pytest.mark.parametrize("added", ["storage", "kubernetes"])
def test_plugins_leave_the_pins_of_snakemake_as_they_are(added):
    driver = pins("driver")
    both = pins(added).items()
    changed = {name for name, version in both if driver.get(name, version) != version}
    assert changed <= {"python-dateutil"}  # as docs/storage.md says


def test_the_profile_of_s3_replaces_the_default_one_and_keeps_its_settings():
    assert settings("default/profile.yaml").items() <= settings("s3/config.yaml").items()


def test_both_profiles_name_the_same_bucket():
    of_storage = [
        {key: value for key, value in settings(path).items() if "storage" in key}
        for path in ("s3/config.yaml", "kubernetes/config.yaml")
    ]
    assert of_storage[0] == of_storage[1]


def test_the_dockerfile_takes_the_pins_that_make_takes():
    dockerfile = (ROOT / "containers/Dockerfile").read_text()
    named = set(re.findall(r"requirements/\w+\.txt", dockerfile))
    assert {"requirements/driver.txt", "requirements/stages.txt"} <= named
    assert all((ROOT / name).is_file() for name in named)
    torch = r"torch==\S+"
    makefile = (ROOT / "Makefile").read_text()
    assert re.findall(torch, dockerfile) == re.findall(torch, makefile)
