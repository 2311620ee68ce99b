"""`--use-conda` makes the environments of envs/ and runs the workflow in them.

    .venv/stages/bin/python -m pip install --requirement requirements/conda.txt
    .venv/stages/bin/python -m pytest -n 0 -m "conda or slow" tests/conda

The packages are wheels from the package index in a channel of the test's own, and conda is a
stand-in made of py-rattler: what conda-forge holds is not tested.
"""

import json
import re
import subprocess
import sys

import pandas as pd
import pytest

from tests.conda.environments import FILES, conda_specs, packages
from tests.conda.rehearsal import REPORT, Rehearsal
from tests.workflow.conftest import planned

pytest.importorskip(
    "rattler",
    reason="py-rattler is missing: run .venv/stages/bin/pip install -r requirements/conda.txt",
)
pytestmark = pytest.mark.conda


def linked(prefix):
    """{package: version} that conda linked into a prefix."""
    records = [json.loads(path.read_text()) for path in (prefix / "conda-meta").glob("*.json")]
    return {record["name"]: record["version"] for record in records}


def test_the_smallest_environment_is_made_and_its_stages_import(tmp_path):
    rehearsal = Rehearsal(tmp_path, ("analysis",))
    rehearsal.prepare()
    said = rehearsal.snakemake("results/split/one_pair.csv", "--use-conda")
    prefix = rehearsal.prefixes(said)["analysis"]
    assert "Activating conda environment" in said
    assert (tmp_path / "with/results/split/one_pair.csv").exists()
    assert "report" in rehearsal.import_stages("analysis", prefix)


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory):
    """Give a finished run with conda, its environments, and what Snakemake said."""
    rehearsal = Rehearsal(tmp_path_factory.mktemp("conda"), tuple(FILES))
    rehearsal.prepare()
    made = rehearsal.snakemake(REPORT, "--use-conda", "--conda-create-envs-only")
    said = rehearsal.snakemake(REPORT, "--use-conda")
    return rehearsal, rehearsal.prefixes(made), said


@pytest.mark.slow
@pytest.mark.parametrize("environment", FILES)
def test_an_environment_is_as_its_file_says_and_its_stages_import(rehearsed, environment):
    rehearsal, prefixes, _ = rehearsed
    prefix = prefixes[environment]
    listed = packages(environment)
    by_conda = {spec.partition(" =")[0] for spec in conda_specs(environment)} - {"pip", "python"}
    assert {name: linked(prefix)[name] for name in by_conda} == {n: listed[n] for n in by_conda}
    pip = [sys.executable, "-m", "pip", "--python", prefix / "bin/python"]
    checked = subprocess.run([*pip, "check"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    answer = subprocess.run([*pip, "list", "--format=json"], capture_output=True, check=True)
    found = {one["name"].lower(): one["version"] for one in json.loads(answer.stdout)}
    by_pip = listed.keys() - by_conda - {"pip", "python"}
    assert {name: found[name] for name in by_pip} == {name: listed[name] for name in by_pip}
    assert rehearsal.import_stages(environment, prefix)


@pytest.mark.slow
def test_every_job_ran_in_an_environment(rehearsed):
    rehearsal, prefixes, said = rehearsed
    # Who is in a dataset is written beside Snakemake.
    jobs = re.findall(r"^(?:local)?rule (?!patients)(\w+):", said, re.MULTILINE)
    activated = re.findall(r"Activating conda environment: (\S+)", said)
    assert len(activated) == len(jobs) > 30
    assert {prefix.name for prefix in prefixes.values()} == {
        path.split("/")[-1] for path in activated
    }
    assert "Nothing to be done" in rehearsal.snakemake(REPORT, "--use-conda", "-n")


@pytest.mark.slow
def test_changing_over_would_run_every_job_again(rehearsed):
    rehearsal, _, said = rehearsed
    assert planned(rehearsal.snakemake(REPORT, "-n")) == planned(said)


@pytest.mark.slow
def test_the_tables_are_those_of_a_run_without_conda(rehearsed):
    rehearsal, _, _ = rehearsed
    rehearsal.snakemake(REPORT, run="without")
    with_conda, without = (
        pd.read_parquet(rehearsal.folder / run / "results/evaluation/metrics.parquet")
        for run in ("with", "without")
    )
    pd.testing.assert_frame_equal(with_conda, without, check_exact=True)
