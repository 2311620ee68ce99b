"""Virtual patients depend on the settings and their names, not on who else is made, and how."""

import gzip
import re

import pytest
import yaml

from pipeline_lib.cli import main
from pipeline_lib.configuration import read_configuration
from tests.workflow.conftest import ROOT, planned

pytestmark = pytest.mark.workflow
COHORT = ROOT / "config/examples/pelvis_cohort.yaml"
PATIENTS = [f"sub-{number:03d}" for number in range(1, 5)]


def write_config(folder, patients):
    """Write a cohort of patients so small that each takes a tenth of a second."""
    dataset = {
        "virtual": {
            "anatomy": "pelvis", "patients": patients, "size": [32, 32, 8], "spacing": [12, 12, 12],
        },
        "contrasts": {
            "T2w": {"sequence": "SE", "te": 0.075, "tr": 4.5},
            "FLAIR": {"sequence": "IR-FSE", "te": 0.1, "tr": 9.0, "ti": 2.5, "te_last": 0.16},
        },
        "reference": "T2w",
    }  # fmt: skip
    experiment = {"dataset": "pelvis", "split": {"test": 1}, "models": ["unet"]}
    config = {
        "datasets": {"pelvis": dataset},
        "experiments": {"pelvis": experiment},
        "models": {"unet": {"system": "unet"}},
    }
    path = folder / f"{patients}.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def contents(folder):
    """Bytes of all files below a folder by their paths in it; the table of all patients apart."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("participants.tsv", ".snakemake_timestamp")
    }


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return write_config(tmp_path_factory.mktemp("config"), 4)


@pytest.fixture(scope="module")
def together(snakemake, tmp_path_factory, config):
    """Four patients made two at a time."""
    folder = tmp_path_factory.mktemp("together")
    snakemake(folder, "scans", configfile=config)
    return folder / "results/simulate/pelvis"


def test_the_target_makes_the_scans_their_truth_and_nothing_more(together):
    names = {path.name for path in together.iterdir()}
    assert names == {*PATIENTS, "derivatives", "dataset_description.json", "participants.tsv"}
    assert {path.name for path in (together / "derivatives/truth").iterdir()} == {
        *PATIENTS, "dataset_description.json",
    }  # fmt: skip
    assert {path.name for path in together.parent.iterdir()} == {"pelvis"}
    assert {path.name for path in (together.parents[1]).iterdir()} == {
        "benchmarks", "code.json", "jobs.csv", "logs", "patients", "run.json", "simulate",
    }  # fmt: skip


def test_the_order_and_the_number_of_jobs_change_no_byte(snakemake, together, tmp_path, config):
    for patient in ("sub-004", "sub-002"):
        snakemake(tmp_path, f"results/simulate/pelvis/{patient}", configfile=config)
    one_at_a_time = ("--resources", "mem_mb=3000")  # what a patient may take
    snakemake(tmp_path, "scans", *one_at_a_time, configfile=config)
    alone = tmp_path / "results/simulate/pelvis"
    assert contents(alone) == contents(together)
    assert (alone / "participants.tsv").read_bytes() == (together / "participants.tsv").read_bytes()


def test_the_number_of_patients_and_of_threads_changes_no_byte(snakemake, together, tmp_path):
    config = write_config(tmp_path, 2)
    snakemake(tmp_path, "scans", "--set-threads", "simulate=2", configfile=config)
    fewer, more = contents(tmp_path / "results/simulate/pelvis"), contents(together)
    assert {path.split("/")[0] for path in fewer} >= set(PATIENTS[:2])
    assert fewer == {path: more[path] for path in fewer}


def test_the_command_gives_the_workflows_bytes(together, tmp_path, config):
    words = ["simulate", "--output", str(tmp_path / "out"), "--config", str(config)]
    assert main(words) == 0
    assert contents(tmp_path / "out") == contents(together)


def test_gzip_holds_neither_a_time_nor_a_name(together):
    for path in together.rglob("*.nii.gz"):
        flags, time = path.read_bytes()[3], path.read_bytes()[4:8]
        assert flags == 0 and time == bytes(4), path
        assert gzip.decompress(path.read_bytes())


def test_the_example_is_a_hundred_patients_of_simkos_five_contrasts(snakemake, tmp_path):
    output = snakemake(tmp_path, "scans", "-n", configfile=COHORT).stdout
    assert planned(output) == {"patients", "simulate", "simulate_dataset", "scans"}
    assert len(set(re.findall(r"patient=(sub-\d+)", output))) == 100
    configuration, _ = read_configuration(yaml.safe_load(COHORT.read_text()), ROOT)
    dataset = configuration["datasets"]["simko2021"]
    assert dataset["virtual"]["size"] == [256, 256, 24]
    assert list(dataset["contrasts"]) == ["T2w75", "T2w120", "T1w400", "T1w750", "PDw"]
