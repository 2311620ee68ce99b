"""What the files of envs/ say, and what conda calls a package of the Python index."""

from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
FILES = {path.stem: path for path in sorted((ROOT / "envs").iterdir())}
# Name in the Python index -> name on conda-forge, where they differ.
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
PYTHON_NAMES = {conda: python for python, conda in CONDA_NAMES.items()}


def conda_name(distribution: str) -> str:
    """Name on conda-forge of a distribution of the Python index."""
    name = canonicalize_name(distribution)
    return CONDA_NAMES.get(name, name)


def read(environment: str) -> dict[str, Any]:
    """Content of envs/ENVIRONMENT.yaml."""
    content: dict[str, Any] = yaml.safe_load(FILES[environment].read_text())
    return content


def conda_specs(environment: str) -> list[str]:
    """Match specs of an environment, such as `numpy =2.3.5`."""
    return [spec for spec in read(environment)["dependencies"] if isinstance(spec, str)]


def pip_specs(environment: str) -> list[str]:
    """Requirements in the pip section of an environment, such as `antspyx==0.6.3`."""
    sections = [spec for spec in read(environment)["dependencies"] if isinstance(spec, dict)]
    return [requirement for section in sections for requirement in section["pip"]]


def packages(environment: str) -> dict[str, str]:
    """All that an environment lists: {name on conda-forge: version}, of pip's the same way."""
    found = {}
    for spec in conda_specs(environment):
        name, _, version = spec.partition(" =")
        found[name] = version
    for text in pip_specs(environment):
        requirement = Requirement(text)
        found[conda_name(requirement.name)] = str(requirement.specifier).removeprefix("==")
    return found


def as_requirement(spec: str) -> str:
    """Requirement for pip of a match spec, such as `torch==2.13.0` of `pytorch =2.13.0`."""
    name, _, version = spec.partition(" =")
    return f"{PYTHON_NAMES.get(name, name)}{'==' if version else ''}{version}"
