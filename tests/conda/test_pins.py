"""The files of envs/ hold what the stages of their rules need, at the versions that the tests run
with, and no more; and they have the form that conda and its kin read."""

import ast
import re

import pytest
from packaging.requirements import Requirement

from tests.conda.environments import (
    FILES,
    ROOT,
    conda_name,
    conda_specs,
    packages,
    pip_specs,
    read,
)
from tests.conda.needs import needs, rules

EXACT = re.compile(r"[a-z][a-z0-9_.-]* =\d+(\.\d+)+")


def pins():
    """{package on conda-forge: version} that the tests run with."""
    lines = (ROOT / "requirements/stages.txt").read_text().splitlines()
    torch = re.search(r"torch==[\d.]+", (ROOT / "Makefile").read_text())[0]
    found = [Requirement(line) for line in [*lines, torch] if not line.startswith("#")]
    return {conda_name(one.name): str(one.specifier).removeprefix("==") for one in found}


@pytest.mark.parametrize("environment", FILES)
def test_an_environment_holds_what_its_stages_need_and_no_more(environment):
    needed = needs(environment)
    held = packages(environment).keys() - {"python", "pip"}
    missing = {name: sorted(needed[name])[:3] for name in needed.keys() - held}
    assert not missing, f"envs/{environment}.yaml lacks {missing}"
    unused = held - needed.keys()
    assert not unused, f"envs/{environment}.yaml holds {unused}, which no stage in it reaches"


@pytest.mark.parametrize("environment", FILES)
def test_an_environment_has_the_versions_that_the_tests_run_with(environment):
    tested = pins()
    held = {n: v for n, v in packages(environment).items() if n not in ("python", "pip")}
    assert held == {name: tested[name] for name in held}


@pytest.mark.parametrize("environment", FILES)
def test_an_environment_is_written_as_conda_reads_it(environment):
    content = read(environment)
    assert list(content) == ["channels", "dependencies"]
    assert content["channels"] == ["conda-forge", "nodefaults"]
    specs, pip = conda_specs(environment), pip_specs(environment)
    for spec in set(specs) - {"pip"}:
        assert EXACT.fullmatch(spec), f"{spec} is no exact pin"
    for spec in pip:
        assert re.fullmatch(r"[A-Za-z0-9_.-]+==[\d.]+", spec), f"{spec} is no exact pin"
    # One pip section, the last entry; pip is listed for it, as conda asks, and for nothing else.
    assert len(content["dependencies"]) == len(specs) + bool(pip)
    assert ("pip" in specs) == bool(pip)
    assert not pip or isinstance(content["dependencies"][-1], dict)


@pytest.mark.parametrize("environment", FILES)
def test_rattler_reads_every_pin_of_an_environment(environment):
    rattler = pytest.importorskip(
        "rattler", reason="py-rattler is not installed: see tests/conda/test_environments.py"
    )
    for spec in conda_specs(environment):
        assert str(rattler.MatchSpec(spec, strict=True)).startswith(spec.split()[0])


@pytest.mark.parametrize("environment", FILES)
def test_no_comment_stands_in_an_environment(environment):
    assert "#" not in FILES[environment].read_text(), (
        "Snakemake reruns every rule of an environment when a comment in its file changes"
    )


def test_every_environment_runs_a_rule_and_every_rule_has_one():
    used = {environment for _, _, environment in rules()}
    assert used == set(FILES)
    assert len(FILES) <= 5
    assert all(path.suffix == ".yaml" for path in FILES.values())


def test_all_environments_have_one_python_which_the_project_allows():
    pythons = {packages(environment)["python"] for environment in FILES}
    assert len(pythons) == 1
    major, minor = map(int, pythons.pop().split("."))
    lowest, highest = re.search(
        r"\((\d, \d+)\) <= sys.version_info < \((\d, \d+)\)", (ROOT / "Makefile").read_text()
    ).groups()
    assert ast.literal_eval(f"({lowest})") <= (major, minor) < ast.literal_eval(f"({highest})")
