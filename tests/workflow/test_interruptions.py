"""A run that is killed, again and again, goes on, and ends in the tables of an undisturbed one."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import yaml

from pipeline_lib.batches import is_batch, members_of
from pipeline_lib.files import writer_of
from tests.workflow.conftest import ROOT, TINY, find_snakemake, write_config

pytestmark = pytest.mark.workflow

KILLS = 20
SHORTEST_WAIT, LONGEST_WAIT = 3, 25  # seconds; a tiny run takes some two minutes
TABLES = ("metrics.csv", "tissues.csv", "summary.csv", "maps.csv", "comparisons.csv")
# What is taken away when a run ends before it was killed often enough.
REMADE = ("slices", "fit_maps", "train", "evaluate")
# All else is the same bytes whenever it is made; these tell hours.
NEVER_THE_SAME = ("card.json", "losses.csv", "report.html", "members.json")
# Of no job: who made them, when, and what a training goes on from.
BESIDES = ("benchmarks", "checkpoints", "logs", "runs", "run.json", "jobs.csv", "code.json")
PROFILES = [*ROOT.glob("profiles/*/config.yaml"), *ROOT.glob("profiles/*/profile.yaml")]


def started(folder, *arguments, target="results/report.html", configfile=TINY):
    """Start a run in a session of its own, so that its jobs can be told from others."""
    command = [find_snakemake(), "--snakefile", ROOT / "Snakefile", "--directory", folder]
    command += [target, *arguments, "--cores", "2", "--configfile", configfile]
    with (folder / "snakemake.txt").open("w") as log:
        return subprocess.Popen(
            list(map(str, command)), stdout=log, stderr=log, cwd=ROOT, start_new_session=True
        )


def told(folder):
    return (folder / "snakemake.txt").read_text()


def jobs_of(run):
    """Process numbers of the stages that a run has started, and their names."""
    command = ["ps", "-e", "-o", "pid=,sid=,args="]
    rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    parts = [row.split(None, 2) for row in rows]
    return {
        int(pid): stage[1]
        for pid, session, words in parts
        if int(session) == run.pid
        and (stage := re.match(r"python -m .*?pipeline_lib\.stages\.(\w+)", words))
    }


def kill_something(run, rng):
    """Kill a job, Snakemake alone (its jobs go on), or both; say what, and what was at work."""
    jobs = jobs_of(run)
    victim = rng.choice(["job", "snakemake", "all"] if jobs else ["snakemake", "all"])
    if victim == "job":
        job = rng.choice(list(jobs))
        with suppress(ProcessLookupError):
            os.kill(job, signal.SIGKILL)
        return victim, [jobs[job]]
    (os.killpg if victim == "all" else os.kill)(run.pid, signal.SIGKILL)
    run.wait()
    return victim, list(jobs.values())


def end(begin, folder):
    """Run to the end; where the folder is locked, do what the message says, and run again."""
    run = begin()
    if run.wait() != 0 and "--unlock" in told(folder):
        assert begin("--unlock").wait() == 0
        run = begin()
    assert run.wait() == 0, told(folder)[-3000:]


def outputs(results):
    """Files below a results folder that jobs made, by their relative paths."""
    # Unlike rglob, walk bears with folders that jobs take away meanwhile.
    found = (Path(folder, file) for folder, _, files in os.walk(results) for file in files)
    names = (path.relative_to(results) for path in found)
    return {name for name in names if name.parts[0] not in BESIDES and "/." not in f"/{name}"}


def check_that_all_is_whole(results, undisturbed):
    """Hold what is there, after a kill, against what an undisturbed run made."""
    there = outputs(results)
    assert there <= outputs(undisturbed)
    for name in there:
        if name.name not in NEVER_THE_SAME:
            with suppress(FileNotFoundError):  # a job that runs on replaces it by the same
                same = (results / name).read_bytes() == (undisturbed / name).read_bytes()
                assert same, f"{name} is not whole"
    for marked in undisturbed.rglob(".snakemake_timestamp"):
        # A batch gets one member after the other, each as a whole.
        for folder in members_of(marked.parent) if is_batch(marked.parent) else [marked.parent]:
            name = folder.relative_to(undisturbed)
            assert outputs(results / name) in (set(), outputs(folder)), f"{name} is not whole"


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.parent.name)
def test_with_every_profile_what_was_at_work_is_made_again_unasked(profile):
    assert yaml.safe_load(profile.read_text())["rerun-incomplete"] is True


def test_after_a_kill_amid_a_jobs_writing_the_same_command_goes_on(snakemake, tmp_path):
    target = tmp_path / "results/simulate/pelvis/sub-001"
    run, begun = started(tmp_path, target=target.relative_to(tmp_path)), []
    while not begun and run.poll() is None:
        begun = list(target.parent.glob(".partial-*"))
        time.sleep(0.001)
    assert begun, told(tmp_path)
    job, _ = writer_of(begun[0].name)
    os.kill(job, signal.SIGSTOP)  # it certainly outlives the kill
    run.kill()
    run.wait()
    assert not target.exists()

    arguments = (tmp_path, target.relative_to(tmp_path))
    assert "--unlock" in snakemake(*arguments, check=False).stdout
    snakemake(*arguments, "--unlock")
    again = snakemake(*arguments).stdout
    assert "Ending jobs that outlived the kill of their run: simulate." in again
    assert "Removed what killed jobs had half written" in again
    assert len(list(target.glob("anat/*.nii.gz"))) == 3
    assert not list(tmp_path.rglob(".partial-*"))


@pytest.fixture(params=[1, 2], ids=lambda count: f"{count} a job")
def undisturbed(request, finished, snakemake, tmp_path_factory):
    """Folder of a finished run, and its configuration: jobs of a patient each, or of several."""
    if request.param == 1:
        return finished, TINY
    folder = tmp_path_factory.mktemp("batches")
    shutil.copytree(finished / "pictures", folder / "pictures")
    configfile = write_config(folder, patients_per_job=request.param)
    snakemake(folder, "results/report.html", configfile=configfile)
    return folder, configfile


@pytest.mark.slow
def test_a_run_killed_twenty_times_ends_in_the_tables_of_an_undisturbed_one(undisturbed, tmp_path):
    model, configfile = undisturbed
    begin = partial(started, tmp_path, configfile=configfile)
    shutil.copytree(model / "pictures", tmp_path / "pictures")
    results, rng, killed = tmp_path / "results", random.Random(2021), []
    run, lost_a_job = begin(), False
    while len(killed) < KILLS:
        try:
            run.wait(timeout=rng.uniform(SHORTEST_WAIT, LONGEST_WAIT))
        except subprocess.TimeoutExpired:
            killed.append(kill_something(run, rng))
            (tmp_path / "kills.json").write_text(json.dumps(killed))
            lost_a_job = killed[-1][0] == "job"
            if not lost_a_job:  # else Snakemake lives, and removes what the job made
                check_that_all_is_whole(results, model / "results")
                run = begin()
            continue
        if run.returncode == 0:
            shutil.rmtree(results / rng.choice(REMADE))
        elif not lost_a_job:
            assert "--unlock" in told(tmp_path), told(tmp_path)[-3000:]
            assert begin("--unlock").wait() == 0
        run, lost_a_job = begin(), False
    run.wait()
    assert {victim for victim, _ in killed} == {"job", "snakemake", "all"}
    end(begin, tmp_path)
    check_that_all_is_whole(results, model / "results")
    assert outputs(results) == outputs(model / "results")
    assert not list(results.rglob(".partial-*"))
    for name in TABLES:
        undisturbed, after = (
            pd.read_csv(folder / "results/evaluation" / name) for folder in (model, tmp_path)
        )
        pd.testing.assert_frame_equal(undisturbed, after)
