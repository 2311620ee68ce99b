"""What a killed run leaves is taken away, and nothing that anybody still writes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline_lib.files import HOST, folder_written_whole, partial_name, write_json, written_whole
from pipeline_lib.imaging.scans import read_scan
from pipeline_lib.leftovers import (
    JOB_OF,
    WEEK_SECONDS,
    end_jobs,
    find_orphans,
    remove_leftovers,
)

ROOT = Path(__file__).parents[1]
# Nine scans, so that a stage writes for a while.
CONTRASTS = {
    f"SE{echo}x{repetition}": {"sequence": "SE", "te": echo / 1000, "tr": repetition / 10}
    for echo in (8, 20, 50)
    for repetition in (4, 10, 45)
}
OPTIONS = {
    "seed": 1,
    "dataset": "tiny",
    "virtual": {
        "anatomy": "pelvis", "field_strength": 3, "size": [32, 32, 6], "spacing": [12.0, 12.0, 16],
        "signal": "exact", "noise": 0.01, "bias_field": 0.3,
        "motion": {"translation": 5.0, "rotation": 5.0}, "label_file": None,
    },
    "contrasts": CONTRASTS,
    "reference": "SE8x4",
}  # fmt: skip


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="needs Linux's /proc"
)


@pytest.fixture
def dead():
    """Number of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def begun(folder, process, host=HOST, name="table.csv"):
    """Write a file as a process would have begun it."""
    path = folder / partial_name(name).replace(f"{os.getpid()}@{HOST}", f"{process}@{host}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("half")
    return path


def age(path, seconds):
    os.utime(path, (time.time() - seconds,) * 2)


def test_what_a_dead_process_began_goes_and_what_a_living_one_writes_stays(tmp_path, dead):
    half = begun(tmp_path / "evaluate/pelvis", dead)
    whole = tmp_path / "evaluate/pelvis/table.csv"
    whole.write_text("whole")
    with folder_written_whole(tmp_path / "slices/pelvis/sub-001") as folder:
        write_json(folder / "card.json", {})
        with written_whole(tmp_path / "split.csv") as file:
            file.write_text("mine")
            assert remove_leftovers(tmp_path) == [half]
    assert not half.exists()
    assert whole.read_text() == "whole"
    assert (tmp_path / "split.csv").read_text() == "mine"
    assert (tmp_path / "slices/pelvis/sub-001/card.json").exists()


@needs_proc
def test_a_process_is_dead_before_its_parent_asks(tmp_path):
    process = subprocess.Popen(["true"])
    half = begun(tmp_path, process.pid)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert remove_leftovers(tmp_path) == [half]
    process.wait()


def test_what_a_living_process_left_open_for_weeks_goes(tmp_path):
    """Its number may be another's by now."""
    mine = begun(tmp_path, os.getpid())
    age(mine, WEEK_SECONDS - 60)
    assert remove_leftovers(tmp_path) == []
    age(mine, WEEK_SECONDS + 60)
    assert remove_leftovers(tmp_path) == [mine]


def test_what_another_machine_began_stays_until_nothing_in_it_changed_for_a_week(tmp_path, dead):
    folder = tmp_path / partial_name("sub-001-x").replace(HOST, "node-7")
    (folder / "anat").mkdir(parents=True)
    scan = begun(folder / "anat", dead, "node-7", "T1w.nii.gz")
    nameless = tmp_path / ".partial-sub-001-x"
    nameless.write_text("of who knows whom")
    for path in (folder / "anat", folder, nameless):
        age(path, WEEK_SECONDS + 60)
    assert remove_leftovers(tmp_path) == [nameless]
    age(scan, WEEK_SECONDS + 60)
    assert remove_leftovers(tmp_path) == [folder]
    assert list(tmp_path.iterdir()) == []


def test_there_is_nothing_to_remove_before_the_first_run(tmp_path):
    assert remove_leftovers(tmp_path / "results") == []


def job(folder, snakemake, code="import time; print(1, flush=True); time.sleep(60)"):
    """Start what looks like a job of a Snakemake with that process number."""
    command = [sys.executable, "-c", code, "pipeline_lib.stages.slices"]
    process = subprocess.Popen(
        command, cwd=folder, env=os.environ | {JOB_OF: str(snakemake)}, stdout=subprocess.PIPE
    )
    process.stdout.readline()
    return process


@needs_proc
def test_jobs_are_ended_whose_snakemake_is_dead_and_no_others(tmp_path, dead):
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True)"
    other = tmp_path / "other"
    other.mkdir()
    orphans = [job(tmp_path, dead), job(tmp_path, dead, f"{deaf}; time.sleep(60)")]
    others = [job(tmp_path, os.getpid()), job(other, dead)]
    suspended = job(tmp_path, dead)
    suspended.send_signal(signal.SIGSTOP)
    try:
        found = find_orphans(tmp_path)
        assert found == {process.pid: "slices" for process in (*orphans, suspended)}
        end_jobs(found, patience=1)
        codes = [process.wait(timeout=5) for process in (*orphans, suspended)]
        assert codes == [-signal.SIGTERM, -signal.SIGKILL, -signal.SIGTERM]
        assert [process.poll() for process in others] == [None, None]
        assert find_orphans(tmp_path) == {}
    finally:
        for process in (*orphans, suspended, *others):
            process.kill()
            process.communicate()


def simulation(folder):
    """Command of a stage that writes for a while, two folders at once."""
    places = ["--output", folder / "raw/sub-001", "--output-truth", folder / "truth/sub-001"]
    command = [sys.executable, "-m", "pipeline_lib.stages.simulate", "--patient", "sub-001"]
    return [*map(str, [*command, *places]), "--options", json.dumps(OPTIONS)]


def test_a_stage_killed_amid_its_writing_leaves_nothing_half_and_runs_again(tmp_path):
    process = subprocess.Popen(simulation(tmp_path), cwd=ROOT)
    while not list(tmp_path.glob("raw/.partial-*/anat/sub-*.nii.gz")) and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    half = {path.parent.name for path in tmp_path.glob("*/.partial-*")}
    assert half == {"raw", "truth"}
    assert not (tmp_path / "raw/sub-001").exists()
    assert not (tmp_path / "truth/sub-001").exists()
    subprocess.run(simulation(tmp_path), cwd=ROOT, check=True)
    assert {path.parent.name for path in remove_leftovers(tmp_path)} == half
    assert not list(tmp_path.rglob(".partial-*"))
    scans = sorted(tmp_path.glob("raw/sub-001/anat/*.nii.gz"))
    assert len(scans) == len(CONTRASTS)
    assert all(np.isfinite(read_scan(scan)[0]).all() for scan in scans)
