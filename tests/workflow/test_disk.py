"""A full disk and a folder that may not be written: a sentence, and the run goes on from there."""

import json
import subprocess
from contextlib import contextmanager

import pytest
import yaml

from pipeline_lib.configuration import read_configuration
from pipeline_lib.disk.need import needed
from pipeline_lib.disk.parts import sizes_by_stage
from pipeline_lib.disk.table import there_by_stage
from tests.workflow.conftest import ROOT, TINY

pytestmark = pytest.mark.workflow
SPLIT = "results/split/one_pair.csv"
# Stages whose files grow with the scans; what scans so small leave of the others is pictures.
GROWING = (
    "simulate", "simulate (truth)", "correct_bias", "slices", "fit_maps", "train",
    "train (checkpoints)", "predict",
)  # fmt: skip


def mount(*words):
    try:
        return subprocess.run(["mount", *map(str, words)], capture_output=True).returncode == 0
    except OSError:
        return False


@contextmanager
def mounted(folder, *words):
    if not mount(*words, folder):
        pytest.skip("a disk can't be mounted here: it needs the rights of root")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@contextmanager
def read_only(folder):
    folder.mkdir(exist_ok=True)
    with mounted(folder, "--bind", folder):
        assert mount("-o", "remount,ro,bind", folder)
        yield


def test_a_folder_that_can_only_be_read_stops_before_any_job(snakemake, tmp_path):
    folder = tmp_path / "run"
    with read_only(folder):
        for arguments in ([], ["-n"]):
            output = snakemake(folder, SPLIT, *arguments, check=False).stdout
            assert f"{folder} can't be written: give yourself the permission" in output
            assert "Traceback" not in output


def test_results_that_can_only_be_read_stop_before_any_job(snakemake, tmp_path):
    with read_only(tmp_path / "results"):
        output = snakemake(tmp_path, SPLIT, check=False).stdout
        assert f"{tmp_path}/results can only be read: mount it for writing" in output
        assert "rule split" not in output
        assert "Traceback" not in output
    snakemake(tmp_path, SPLIT)
    assert (tmp_path / SPLIT).is_file()


def test_a_full_disk_is_a_sentence_and_the_run_goes_on_with_room(snakemake, tmp_path):
    disk, patient = tmp_path / "disk", "results/simulate/pelvis/sub-001"
    disk.mkdir()
    with mounted(disk, "-t", "tmpfs", "-o", "size=512k", "tmpfs"):
        # Room for the record of the run, and for nothing that its jobs make.
        (disk / "ballast").write_bytes(bytes(2**19 - 100_000))
        output = snakemake(disk, patient, check=False).stdout
        assert f"The disk of {disk}/results has" in output
        assert f"no room is left in {disk}/results" in output
        assert "Traceback" not in output
        assert not (disk / patient).exists()
        assert not list((disk / "results").rglob(".partial*"))
        (disk / "ballast").unlink()
        snakemake(disk, SPLIT)
        (first,) = (disk / "results/runs").glob("*.json")
        assert json.loads(first.read_text())["outcome"] in ("failed", "interrupted")
        run = json.loads((disk / "results/run.json").read_text())
        assert run["outcome"] == "finished"
        jobs = (disk / "results/jobs.csv").read_text().splitlines()
        assert [line.split(",")[:4] for line in jobs[1:]] == [
            [run["started"], "patients", "pelvis", ""],
            [run["started"], "split", "one_pair", run["rules"]["split"]["code"]],
        ]


def test_every_stage_writes_what_was_said_before(finished, monkeypatch):
    monkeypatch.chdir(finished)
    configuration, _ = read_configuration(yaml.safe_load(TINY.read_text()), ROOT)
    parts = needed(configuration)
    said, there = sizes_by_stage(parts), there_by_stage(parts, finished / "results")
    assert all(there[stage] > 0 for stage in said)
    for stage in GROWING:
        assert 1 / 1.5 < said[stage] / there[stage] < 1.5, stage
    assert sum(said.values()) == pytest.approx(sum(there.values()), rel=0.2)
