"""The two routes of the README, with conda and without, and what changing over does."""

import re
import shutil

import pytest

from tests.conda.environments import ROOT
from tests.workflow.conftest import planned

pytestmark = pytest.mark.workflow
# A target that a run reaches in seconds: its rule has an environment and no inputs.
TARGET, RULE = "results/split/one_pair.csv", "split"
INSTEAD = (
    "--use-conda was given, but no conda is on the path: run `make setup` once and leave "
    "--use-conda out, or install conda (24.7.1 or newer)."
)


@pytest.mark.parametrize("options", [["--use-conda"], ["--use-conda", "-n"], ["--sdm=conda", "-n"]])
def test_without_conda_the_option_is_answered_by_what_to_do_instead(
    snakemake, no_conda, tmp_path, options
):
    # The configuration is wrong as well: the sentence about conda comes before one about it.
    config = tmp_path / "config.yaml"
    config.write_text("scale: smok")
    done = snakemake(tmp_path, TARGET, *options, configfile=config, check=False)
    assert done.returncode != 0
    said = [line for line in done.stdout.splitlines() if not line.startswith("Using workflow")]
    assert re.fullmatch(r"WorkflowError in file .*configuration\.smk\".*:", said[0])
    assert said[1] == INSTEAD
    assert "smok" not in done.stdout
    assert "Traceback" not in done.stdout
    assert not (tmp_path / "results").exists()


def test_without_setup_the_error_says_both_ways(snakemake, tmp_path, monkeypatch):
    for name in ("Snakefile", "config", "pipeline_lib", "profiles", "workflow", "envs"):
        (tmp_path / name).symlink_to(ROOT / name)
    no_python = tmp_path / "bin"
    no_python.mkdir()
    for program in ("bash", "sh", "which"):
        (no_python / program).symlink_to(shutil.which(program))
    monkeypatch.setenv("PATH", str(no_python))
    done = snakemake(tmp_path, TARGET, "-n", "--snakefile", tmp_path / "Snakefile", check=False)
    assert "run `make setup` once, or add --use-conda." in done.stdout
    assert "Traceback" not in done.stdout


def test_the_lines_of_the_readme_are_those_of_make_setup():
    readme = (ROOT / "README.md").read_text()
    lines = readme.split("the same without make:\n\n```\n")[1].split("```")[0].splitlines()
    makefile = (ROOT / "Makefile").read_text().replace("$(PYTHON)", "python3")
    setup = makefile.split("\nsetup:")[1].split("\n.venv/stages/.tested:")[0]
    made = [
        line.strip().replace("/python -m pip install --quiet", "/pip install")
        for line in setup.splitlines()
        if re.match(r"\t\S+ -m (venv|pip) ", line)
    ]
    assert lines == made


def test_changing_over_reruns_everything_unless_told_otherwise(snakemake, some_conda, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    snakemake(run, TARGET)
    with_conda = snakemake(run, TARGET, "--use-conda", "-n").stdout
    assert planned(with_conda) == {RULE}
    assert "Software environment definition has changed" in with_conda
    triggers = re.search(r"--rerun-triggers [a-z ]+", (ROOT / "README.md").read_text())[0]
    kept = snakemake(run, TARGET, "--use-conda", "-n", *triggers.split()).stdout
    assert "Nothing to be done" in kept
