"""A run that is killed again and again goes on, and ends in the tables of an undisturbed one."""

import os
import random
import shutil
import signal
import subprocess

import pandas as pd
import pytest

from tests.workflow.conftest import ROOT, TINY, find_snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

KILLS = 20
SHORTEST_WAIT, LONGEST_WAIT = 3, 25  # seconds; a tiny run takes some two minutes
TABLES = ("metrics.csv", "tissues.csv", "summary.csv", "maps.csv", "comparisons.csv")
# What is taken away when a run ends before it was killed often enough.
REMADE = ("slices", "fit_maps", "train", "evaluate")


def started(folder, *arguments):
    """Start a run in a session of its own, so that its jobs can be told from others."""
    command = [find_snakemake(), "--snakefile", ROOT / "Snakefile", "--directory", folder]
    command += ["results/report.html", *arguments, "--cores", "2", "--configfile", TINY]
    with (folder / "snakemake.txt").open("w") as log:
        return subprocess.Popen(
            list(map(str, command)), stdout=log, stderr=log, cwd=ROOT, start_new_session=True
        )


def jobs_of(run):
    """Process numbers of the stages that a run has started."""
    command = ["ps", "-e", "-o", "pid=,sid=,args="]
    rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    parts = [row.split(None, 2) for row in rows]
    return [
        int(pid)
        for pid, session, words in parts
        if int(session) == run.pid and words.startswith("python -m pipeline_lib.stages.")
    ]


def kill_something(run, rng):
    """Kill a job, Snakemake alone (its jobs go on), or both; say what."""
    jobs = jobs_of(run)
    victim = rng.choice(["job", "snakemake", "all"])
    if victim == "job" and jobs:
        os.kill(rng.choice(jobs), signal.SIGKILL)
    elif victim == "all":
        os.killpg(run.pid, signal.SIGKILL)
    else:
        victim = "snakemake"
        os.kill(run.pid, signal.SIGKILL)
    run.wait()
    return victim


def end(folder):
    """Run to the end; where the folder is locked, do what the message says, and run again."""
    run = started(folder)
    if run.wait() != 0 and "--unlock" in (folder / "snakemake.txt").read_text():
        assert started(folder, "--unlock").wait() == 0
        run = started(folder)
    assert run.wait() == 0, (folder / "snakemake.txt").read_text()[-3000:]


def test_a_run_killed_twenty_times_ends_in_the_tables_of_an_undisturbed_one(finished, tmp_path):
    shutil.copytree(finished / "pictures", tmp_path / "pictures")
    rng, killed = random.Random(2021), []
    while len(killed) < KILLS:
        run = started(tmp_path)
        try:
            run.wait(timeout=rng.uniform(SHORTEST_WAIT, LONGEST_WAIT))
        except subprocess.TimeoutExpired:
            killed.append(kill_something(run, rng))
            continue
        told = (tmp_path / "snakemake.txt").read_text()
        if run.returncode == 0:
            shutil.rmtree(tmp_path / "results" / rng.choice(REMADE))
        else:
            assert "--unlock" in told, told[-3000:]
            assert started(tmp_path, "--unlock").wait() == 0
    assert set(killed) == {"job", "snakemake", "all"}
    end(tmp_path)
    for name in TABLES:
        undisturbed, after = (
            pd.read_csv(folder / "results/evaluation" / name) for folder in (finished, tmp_path)
        )
        pd.testing.assert_frame_equal(undisturbed, after)
