"""What stages hold of the patients: few open at a time, and no more memory for more of them."""

import json
import subprocess
import sys
import weakref
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.memory import calls
from benchmarks.memory_cohort import make_cohort
from pipeline_lib.slices import datasets
from pipeline_lib.slices.store import PatientSlices

ROOT = Path(__file__).parents[2]
PATIENTS = 16
# Some are looked at together, such as the median and the worst patient on the page; 8 are tested.
FEW = 5


@pytest.fixture
def most_open(monkeypatch):
    """Count the patients that are open at the same time: `most_open()` gives the most so far."""
    living, most = weakref.WeakSet(), [0]
    original = PatientSlices.open.__func__

    class Hashed(PatientSlices):
        __hash__ = object.__hash__
        __eq__ = object.__eq__

    def opened(_, folder):
        slices = original(Hashed, folder)
        living.add(slices)
        most[0] = max(most[0], len(living))
        return slices

    def told():
        found, most[0] = most[0], 0
        return found

    monkeypatch.setattr(PatientSlices, "open", classmethod(opened))
    return told


def test_few_patients_are_open_at_a_time_in_every_stage(tmp_path, monkeypatch, most_open):
    make_cohort(tmp_path, PATIENTS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets, "OPEN_PATIENTS", 2)
    found = {}
    for row, stage, options, arguments in calls(PATIENTS):
        monkeypatch.setattr(sys, "argv", [stage, "--options", json.dumps(options), *arguments])
        import_module(f"pipeline_lib.stages.{stage}").main()
        found[row] = most_open()
    assert len(found) == 14
    assert {row: count for row, count in found.items() if count > FEW} == {}
    assert found["train (unet)"] >= 2


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_training_on_many_patients_keeps_few_files_open(tmp_path):
    make_cohort(tmp_path, 300)
    folders = sorted((tmp_path / "results/slices").glob("*/*"))
    before = open_files()
    selection = datasets.Selection((0,), (1,))
    samples = datasets.PairedSlices(folders, 0, selection)
    assert len(samples) == 900
    assert sum(len(samples[number].source) for number in range(900)) == 900
    assert open_files() - before <= 3 * datasets.OPEN_PATIENTS + 10


# The peak of the process itself: that of getrusage begins with what its parent had.
EVALUATION = """
import json, runpy, sys
for arguments in json.load(open(sys.argv[1])):
    sys.argv = arguments
    runpy.run_module("pipeline_lib.stages.evaluation", run_name="__main__")
    [peak] = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    print(int(peak.split()[1]) / 1024)
"""
SMALL, LARGE = 500, 4000
GROWTH = 40  # MiB; with all rows in memory it was 190


def part(path, patients):
    """Scores of two models, six pairs, two regions and six metrics, in groups of rows."""
    names = ["A", "B", "C"]
    pairs = [(source, target) for source in names for target in names if source != target]
    metrics = [(region, m) for region in ("body", "fat") for m in ("mae", "nrmse", "psnr")]
    rows = pd.DataFrame(
        [("e", "d", model, 0, "test", "seen", f"sub-{n:05d}", *pair, *metric)
         for model in ("one", "two") for n in range(patients) for pair in pairs
         for metric in metrics],
        columns=["experiment", "dataset", "model", "fold", "group", "parameters", "patient",
                 "source", "target", "region", "metric"],
    )  # fmt: skip
    values = np.random.default_rng(0).gamma(2.0, size=len(rows))
    rows.assign(value=values, data_range=1.0).to_parquet(path, index=False, row_group_size=2**15)
    return str(path)


def test_the_evaluation_of_more_patients_takes_hardly_more_memory(tmp_path):
    options = {"seed": 1, "evaluate": {"bootstrap": 50}, "experiments": {"e": ["one", "two"]}}
    asked = [
        ["evaluation", "--options", json.dumps(options),
         "--parts", part(tmp_path / f"{patients}.parquet", patients),
         "--output", str(tmp_path / f"out-{patients}")]
        for patients in (SMALL, LARGE)
    ]  # fmt: skip
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    command = [sys.executable, "-c", EVALUATION, str(tmp_path / "asked.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    small, large = map(float, done.stdout.split())
    assert large - small < GROWTH
    assert len(pd.read_csv(tmp_path / f"out-{LARGE}/summary.csv")) == 2 * (6 + 1) * 6
