"""The results in a bucket: what lies there, what is left here, and that it is the same."""

import csv
import json
import re

import numpy as np
import pandas as pd
import pytest
from skimage import io

from tests.workflow.conftest import planned

pytestmark = pytest.mark.storage
CORRECTED = "results/correct_bias/pelvis/sub-001"
PICTURES = "results/slices/pictures/sub-pictures"
WHOLE = "results/report.html"
TABLES = ("metrics", "summary", "comparisons", "maps")


def folder_with_pictures(folder):
    """A working directory with the raw pictures that the tiny configuration names."""
    (folder / "pictures").mkdir(parents=True)
    disc = np.hypot(*(np.indices((60, 50)) - 25)) < 20
    for name, grey in (("pd", 200), ("t2", 90)):
        io.imsave(folder / f"pictures/{name}.png", (grey * disc).astype(np.uint8))
    return folder


@pytest.fixture
def study(tmp_path):
    return folder_with_pictures(tmp_path / "study")


def test_results_lie_in_the_bucket_and_raw_data_stay_where_they_are(server, snakemake, study):
    options = ("--directory", study, "--cores", "2")
    snakemake("s3", CORRECTED, PICTURES, *options)
    files = server.files(study / "copy")
    assert f"{CORRECTED}/T2w.nii.gz" in files
    assert "results/logs/correct_bias/pelvis/sub-001.log" in files
    assert not any("png" in name and "pictures/pd" in name for name in files)
    assert not (study / "results").exists()

    run = json.loads((study / "copy/results/run.json").read_text())
    assert run["outcome"] == "finished"
    with (study / "copy/results/jobs.csv").open() as table:
        rules = {row["rule"] for row in csv.DictReader(table)}
    assert rules == {"simulate", "check_scans", "correct_bias", "import_pictures"}

    again = snakemake("s3", CORRECTED, PICTURES, *options, "--dry-run")
    assert "Nothing to be done" in again.stdout

    # Another machine finds the results, and the record of the run that made them.
    elsewhere = folder_with_pictures(study / "elsewhere")
    options = ("--directory", elsewhere, "--cores", "2")
    assert planned(snakemake("s3", CORRECTED, *options, "--dry-run").stdout) == set()


def test_what_is_wrong_is_shown_in_the_terminal(snakemake, study):
    (study / "pictures/pd.png").write_text("no picture")
    done = snakemake("s3", PICTURES, "--directory", study, "--cores", "1", check=False)
    assert done.returncode != 0
    assert re.search(r"^Error: .*pd\.png", done.stdout, re.MULTILINE)


@pytest.mark.slow
def test_the_whole_workflow_gives_the_same_as_on_a_disk(server, snakemake, study, tmp_path):
    here = folder_with_pictures(tmp_path / "here")
    snakemake("default", WHOLE, "--directory", here, "--cores", "2")
    options = ("--directory", study, "--cores", "2")
    snakemake("s3", WHOLE, *options)
    assert "Nothing to be done" in snakemake("s3", WHOLE, *options).stdout

    copy = tmp_path / "copy"
    wanted = {
        str(path.relative_to(here))
        for path in here.glob("results/**/*")
        if path.is_file() and "checkpoints" not in path.parts
    }
    assert wanted == set(server.files(copy))
    # Only checkpoints stay here; they are no results.
    assert {path.name for path in study.glob("results/*")} == {"checkpoints"}
    for table in TABLES:
        name = f"results/evaluation/{table}.csv"
        assert (copy / name).read_bytes() == (here / name).read_bytes()
    metrics = "results/evaluation/metrics.parquet"
    pd.testing.assert_frame_equal(pd.read_parquet(copy / metrics), pd.read_parquet(here / metrics))
