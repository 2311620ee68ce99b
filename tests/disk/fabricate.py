"""A small complete configuration to ask about."""

from pathlib import Path

import yaml

from pipeline_lib.configuration import read_configuration

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests/workflow/tiny.yaml"


def configured(**changes):
    """The tiny configuration of the workflow's tests, complete; sections of it replaced."""
    given = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    del given["experiments"]["pelvis"]["external"]
    return read_configuration(given | changes, ROOT)[0]


def with_patients(count, together=1, **virtual):
    """The same with so many patients, so many a job, and other settings of the virtual ones."""
    given = yaml.safe_load(TINY.read_text(encoding="utf-8"))["datasets"]["pelvis"]
    given["virtual"] |= {"patients": count, **virtual}
    return configured(datasets={"pelvis": given}, patients_per_job=together)
