"""Patients that share jobs get what each would get alone; what is temporary goes."""

import re

import pytest
import yaml

from pipeline_lib.batches import batches, single_folders
from pipeline_lib.why.plan import read_plan
from tests.workflow.conftest import TINY, write_config

pytestmark = pytest.mark.workflow
PATIENTS = ("sub-001", "sub-002", "sub-003")
TOGETHER = batches(PATIENTS, 2)
PREPARED = [
    f"results/{stage}/pelvis/{batch}" for stage in ("fit_maps", "quality") for batch in TOGETHER
]


def pelves(count, **settings):
    """Change the tiny configuration to so many patients, and other settings at its top."""
    datasets = yaml.safe_load(TINY.read_text())["datasets"]
    datasets["pelvis"]["virtual"]["patients"] = count
    return {"datasets": datasets, **settings}


@pytest.fixture(scope="module")
def together(snakemake, tmp_path_factory):
    """Folder of a run in which patients share jobs."""
    folder = tmp_path_factory.mktemp("together")
    snakemake(folder, *PREPARED, configfile=write_config(folder, **pelves(3, patients_per_job=2)))
    return folder


def files_below(folder):
    """Bytes of a patient's volumes and tables; texts that name files are left out."""
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.suffix in (".gz", ".npy", ".csv", ".txt")
    }


@pytest.mark.parametrize("stage", ["simulate", "register", "segment", "slices", "fit_maps"])
def test_a_batch_gets_what_single_jobs_get(finished, together, stage):
    of_stage = together / "results" / stage / "pelvis"
    folders = single_folders(sorted(of_stage.glob("batch-*")))
    assert [folder.name for folder in folders] == list(PATIENTS)
    for folder in folders:
        alone = files_below(finished / "results" / stage / "pelvis" / folder.name)
        assert alone
        assert files_below(folder) == alone


def test_one_patient_more_runs_its_batch_and_there_it_alone(together, snakemake, tmp_path):
    config = write_config(tmp_path, **pelves(4, patients_per_job=2))
    four = batches([*PATIENTS, "sub-004"], 2)
    (batch,) = (name for name, members in four.items() if "sub-004" in members)
    target = f"results/check_scans/pelvis/{batch}"
    jobs = read_plan(snakemake(together, target, "-n", "-p", configfile=config).stdout)
    assert {(job.rule, *sorted(job.wildcards.values())) for job in jobs} == {
        ("simulate", batch, "pelvis"),
        ("check_scans", batch, "pelvis"),
    }
    snakemake(together, target, configfile=config)
    for stage in ("simulate", "check_scans"):
        log = (together / f"results/logs/{stage}/pelvis/{batch}.log").read_text()
        kept = set(re.findall(r"^(\S+) is kept from before", log, re.MULTILINE))
        assert kept == set(TOGETHER[batch])
        assert "sub-004\n" in log


def test_what_only_the_next_stage_reads_goes_if_it_may(snakemake, tmp_path):
    config = write_config(tmp_path, **pelves(3, keep_intermediate=False))
    targets = [f"results/{stage}/pelvis/sub-001" for stage in ("slices", "quality")]
    snakemake(tmp_path, *targets, configfile=config)
    results = tmp_path / "results"
    for stage in ("simulate", "correct_bias", "register", "segment"):
        assert not (results / stage / "pelvis/sub-001").exists()
    assert (results / "simulate/pelvis/derivatives/truth/sub-001").is_dir()
    assert (results / "quality/pelvis/sub-001/register.png").is_file()
    assert "Nothing to be done" in snakemake(tmp_path, *targets, configfile=config).stdout
