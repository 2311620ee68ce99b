"""What the rules cost, from Snakemake's benchmark files."""

import math

import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.report.origin import busy_seconds, read_jobs, rule_costs
from pipeline_lib.report.run_tables import cost_table

GIVEN = {
    "train unet": {"code": "train_unet@1", "cores": 4, "gpus": 2},
    "register": {"code": "register@1", "cores": 1, "gpus": 0},
}


def benchmark(folder, name, line):
    path = folder / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\tmax_rss\tcpu_time\n{line}\n")


@pytest.fixture
def jobs(tmp_path):
    benchmark(tmp_path, "train/one/unet/fold-0", "1800\t0:30:00\t900\t5400")
    benchmark(tmp_path, "train/one/unet/fold-1", "3600\t1:00:00\t800\t9000")
    benchmark(tmp_path, "register/brain/sub-1", "0.2\t0:00:00\tNA\tNA")
    return read_jobs(tmp_path)


def test_hours_are_wall_clock_times_what_was_reserved(jobs):
    training, registration = rule_costs(jobs, GIVEN)
    assert (training.rule, training.jobs, training.seconds) == ("train", 2, 5400)
    assert (training.cpu_seconds, training.core_seconds) == (14400, 4 * 5400)
    assert (training.gpu_seconds, training.memory) == (2 * 5400, 900)
    assert registration.core_seconds == pytest.approx(0.2)
    assert math.isnan(registration.cpu_seconds)


def test_the_table_says_the_hours_of_the_whole(jobs):
    table = cost_table(rule_costs(jobs, GIVEN))
    assert table.caption.startswith("6.00 core hours and 3.00 GPU hours were reserved in all.")
    assert [cell.text for cell in table.rows[0]] == [
        "train", "2", "1 h 30 min", "1 h 00 min", "4 h 00 min", "6.00", "3.00", "900",
    ]  # fmt: skip


def test_what_an_older_run_did_not_record_is_not_made_up(jobs):
    table = cost_table(rule_costs(jobs, {}))
    assert table.caption.startswith("From Snakemake's")
    assert table.rows[0][6].text == "–"


def test_pauses_are_not_busy(jobs):
    assert busy_seconds(jobs) == pytest.approx(3600, abs=5)


def test_a_file_that_is_no_benchmark_is_told(tmp_path):
    (tmp_path / "register.tsv").write_text("a\tb\n1\t2\n")
    with pytest.raises(InputError, match="no benchmark table"):
        read_jobs(tmp_path)
