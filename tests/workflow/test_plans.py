"""What Snakemake would run for the configurations that come along."""

import re
import subprocess

import pytest
import yaml

from tests.workflow.conftest import ROOT, TINY, find_snakemake, planned

pytestmark = pytest.mark.workflow
REAL = ROOT.parent / "shared/data/ms_longitudinal"

PAPERS = {
    "simko2021": {"decide", "map_tissues", "unpair"},
    "alkan2017": {"split", "register"},
    "crl2024": {"register", "correct_bias"},
    "narang2022": {"simulate", "split"},
}


@pytest.mark.parametrize("paper", PAPERS)
def test_each_papers_experiment_runs_alone_and_at_every_scale(snakemake, tmp_path, paper):
    config = ROOT / f"config/experiments/{paper}.yaml"
    for scale in ("smoke", "reduced"):
        arguments = ("results/report.html", "-n", "--config", f"scale={scale}")
        output = snakemake(tmp_path, *arguments, configfile=config).stdout
        assert PAPERS[paper] | {"train", "evaluate_baselines", "report"} <= planned(output)
        experiments = set(re.findall(r"experiment=(\w+)", output))
        assert experiments and all(name.startswith(paper) for name in experiments)


def test_the_default_runs_all_four_papers(snakemake, tmp_path):
    config = ROOT / "config/config.yaml"
    output = snakemake(tmp_path, "results/report.html", "-n", configfile=config).stdout
    for paper in PAPERS:
        assert f"experiment={paper}" in output


def test_the_configuration_comes_before_the_target_with_an_equals_sign(tmp_path, snakemake):
    program = find_snakemake()
    done = subprocess.run(
        [program, "--snakefile", ROOT / "Snakefile", "--directory", tmp_path, "--cores", "2", "-n",
         f"--configfile={TINY}", "results/split/pelvis.csv"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert planned(done.stdout) == {"patients", "split"}


@pytest.mark.real
def test_dry_run_of_the_example_on_real_scans(snakemake, tmp_path):
    config = yaml.safe_load((ROOT / "config/examples/ms_longitudinal.yaml").read_text())
    if not REAL.exists():
        pytest.skip(f"{REAL} is absent")
    for dataset in config["datasets"].values():
        dataset["bids"]["root"] = str(REAL)
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    output = snakemake(tmp_path, "results/report.html", "-n", configfile=path).stdout
    assert {"correct_bias", "register", "slices", "train", "report"} <= planned(output)


def test_maps_of_imperfect_pulses_are_fitted_with_the_exact_equations(snakemake, tmp_path):
    config = ROOT / "config/examples/imperfect_scanner.yaml"
    output = snakemake(tmp_path, "results/report.html", "-n", "-p", configfile=config).stdout
    assert {"simulate", "fit_maps", "evaluate_baselines"} <= planned(output)
    told = dict(re.findall(r'python -m pipeline_lib\.stages\.(\w+) .*"signal": "(\w+)"', output))
    assert told["simulate"] == "epg"
    assert told["fit_maps"] == told["evaluate_baselines"] == "exact"
