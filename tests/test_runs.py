"""What is kept of the runs of a results folder."""

import os
from datetime import UTC, datetime

import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.files import read_json, write_json
from pipeline_lib.runs import allotted, end_run, read_jobs, read_runs, start_run

RULES = {
    "register": {"code": "register@1", "cores": 1, "gpus": 0},
    "train unet": {"code": "train_unet@2", "cores": 4, "gpus": 2},
    "train simko": {"code": "train_simko@3", "cores": 1, "gpus": 1},
}
HEADER = "s\th:m:s\tmax_rss\tcpu_time\n"


def benchmark(results, name, line, later=0):
    """Write a benchmark file as Snakemake does, `later` seconds after the record of the run."""
    path = results / f"benchmarks/{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + line + "\n")
    ended = (results / "run.json").stat().st_mtime + later
    os.utime(path, (ended, ended))
    return datetime.fromtimestamp(ended, UTC).isoformat(timespec="seconds")


def test_a_run_leaves_its_facts_its_end_and_its_jobs(tmp_path):
    start_run(tmp_path, {"commit": "abc", "rules": RULES})
    assert "ended" not in read_json(tmp_path / "run.json")
    ended = benchmark(tmp_path, "train/one/unet/fold-0", "7200\t2:00:00\t900.5\t21600", 5)
    benchmark(tmp_path, "register/brain/sub-1", "0.5\t0:00:00\tNA\tNA", 2)
    end_run(tmp_path, "finished")
    (run,) = read_runs(tmp_path)
    assert (run["commit"], run["outcome"]) == ("abc", "finished")
    assert run["started"] <= run["ended"]
    short, training = read_jobs(tmp_path)
    assert (short.rule, short.job, short.cpu_seconds, short.memory_mb) == (
        "register", "brain/sub-1", None, None,
    )  # fmt: skip
    assert (training.run, training.code, training.ended) == (run["started"], "train_unet@2", ended)
    assert (training.seconds, training.cpu_seconds, training.memory_mb) == (7200, 21600, 900.5)
    assert (training.cores, training.gpus) == (4, 2)


def test_what_was_made_again_is_kept_with_both_codes(tmp_path):
    start_run(tmp_path, {"rules": RULES})
    benchmark(tmp_path, "register/brain/sub-1", "2\t0:00:02\t1\t1")
    benchmark(tmp_path, "register/brain/sub-2", "2\t0:00:02\t1\t1")
    end_run(tmp_path, "finished")
    first = read_json(tmp_path / "run.json")
    # As if the next run began a minute later.
    write_json(tmp_path / "run.json", first | {"started": "2026-01-01T00:00:00+00:00"})
    start_run(tmp_path, {"rules": {"register": RULES["register"] | {"code": "register@9"}}})
    for sub, later in ((1, 3), (2, -60)):
        benchmark(tmp_path, f"register/brain/sub-{sub}", "4\t0:00:04\t1\t1", later)
    end_run(tmp_path, "failed")
    assert [run["outcome"] for run in read_runs(tmp_path)] == ["finished", "failed"]
    jobs = [(job.job, job.code, job.seconds) for job in read_jobs(tmp_path)]
    assert jobs == [
        ("brain/sub-1", "register@1", 2),
        ("brain/sub-2", "register@1", 2),
        ("brain/sub-1", "register@9", 4),
    ]


def test_the_jobs_of_a_killed_run_are_found_by_the_next(tmp_path):
    start_run(tmp_path, {"commit": "abc", "rules": RULES})
    benchmark(tmp_path, "register/brain/sub-1", "2\t0:00:02\t1\t1", 1)
    start_run(tmp_path, {"commit": "def", "rules": RULES})
    assert [job.job for job in read_jobs(tmp_path)] == ["brain/sub-1"]
    killed = read_json(next((tmp_path / "runs").iterdir()))
    assert (killed["commit"], killed["outcome"]) == ("abc", "interrupted")
    assert "ended" not in killed


def test_a_folder_of_an_older_version_goes_on(tmp_path):
    write_json(tmp_path / "run.json", {"commit": "old"})
    start_run(tmp_path, {"commit": "new"})
    assert [run["commit"] for run in read_runs(tmp_path)] == ["old", "new"]


def test_a_job_is_given_what_its_model_is(tmp_path):
    assert allotted(RULES, "train", "unet/simko.T1w.T2w/fold-0")["code"] == "train_simko@3"
    assert allotted(RULES, "register", "unet/sub-1")["code"] == "register@1"
    assert allotted(RULES, "evaluate", "unet/sub-1") == {}


def test_a_damaged_table_is_a_sentence(tmp_path):
    (tmp_path / "jobs.csv").write_text("run,rule\nx,y\n")
    with pytest.raises(InputError, match=r"jobs\.csv is damaged"):
        read_jobs(tmp_path)
