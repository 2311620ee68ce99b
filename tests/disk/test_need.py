import shutil
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace

import pytest

from pipeline_lib.disk import need
from pipeline_lib.disk.need import amount, needed, peak, remaining, sentences, total
from pipeline_lib.raw_scans import find_raw_scans
from tests.disk.fabricate import configured, with_patients


@pytest.fixture(scope="module")
def parts():
    return needed(configured())


def make(results, parts):
    for part in parts:
        for entry in range(part.entries):
            (results / part.folder / f"sub-{entry:03d}").mkdir(parents=True, exist_ok=True)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (34.4e9, "34 GB"), (1.25e12, "1.2 TB"), (0.96e9, "0.96 GB"), (949e6, "950 MB"),
        (998e9, "1 TB"), (40_000, "0.04 MB"), (0, "0 MB"),
    ],
)  # fmt: skip
def test_amounts_have_two_digits(size, text):
    assert amount(size) == text


def test_temporary_files_leave_the_peak(parts):
    stages = {part.stage: part.size for part in parts if part.is_intermediate}
    assert set(stages) == {"simulate", "correct_bias", "register", "segment"}
    assert peak(parts, keeps_intermediate=True) == total(parts)
    expected = total(parts) - sum(stages.values())
    assert peak(parts, keeps_intermediate=False) == pytest.approx(expected)


def test_what_is_there_need_not_be_written(parts, tmp_path):
    assert remaining(parts, True, tmp_path) == pytest.approx(total(parts))
    slices = next(part for part in parts if part.stage == "slices")
    for name in ("sub-001", "sub-002", "dataset_description.json"):
        (tmp_path / slices.folder / name).mkdir(parents=True)
    assert remaining(parts, True, tmp_path) == pytest.approx(total(parts) - slices.size * 2 / 3)
    make(tmp_path, parts)
    assert remaining(parts, True, tmp_path) == 0


def test_a_batch_that_is_there_counts_as_its_patients(tmp_path):
    alone, shared = needed(with_patients(40)), needed(with_patients(40, together=10))
    assert total(shared) == pytest.approx(total(alone))
    slices = next(part for part in shared if part.stage == "slices")
    assert slices.entries == 4
    (tmp_path / slices.folder / "batch-0002").mkdir(parents=True)
    assert remaining(shared, True, tmp_path) == pytest.approx(total(shared) - slices.size / 4)


def test_after_the_end_temporary_files_are_not_missed(parts, tmp_path):
    make(tmp_path, [part for part in parts if not part.is_intermediate])
    assert remaining(parts, False, tmp_path) == 0
    assert remaining(parts, True, tmp_path) > 0


def test_enough_room_is_a_notice_alone(parts, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=120e9))
    notice, warning = sentences(parts, True, Path("nowhere/results"))
    assert notice == (
        f"results/ will need about {amount(total(parts))}, of which "
        f"{amount(total(part for part in parts if part.is_intermediate))} are intermediate; "
        "120 GB are free."
    )
    assert warning is None


def test_too_little_room_is_a_warning_that_says_what_to_do(monkeypatch, tmp_path):
    parts = needed(with_patients(5000))
    most, least = peak(parts, True), peak(parts, False)
    results = tmp_path / "results"

    def told(free, keeps):
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
        return sentences(parts, keeps, results)[1]

    assert told(most, True) is None
    warning = told((most + least) / 2, True)
    assert f"The disk of {results} has {amount((most + least) / 2)} free" in warning
    assert f"about {amount(most)} are still to be written" in warning
    assert "--directory" in warning
    assert warning.endswith(
        f"set keep_intermediate: false, after which about {amount(least)} would do."
    )
    assert told(least / 2, True).endswith("are still to be written.")
    assert "keep_intermediate" not in told(least / 2, False)


def test_ten_thousand_patients_take_milliseconds(tmp_path):
    configuration = with_patients(10_000)
    dataset = configuration["datasets"]["pelvis"]
    scans = {"pelvis": find_raw_scans("pelvis", dataset, 1)}
    parts = needed(configuration, scans)
    make(tmp_path, [part for part in parts if part.stage == "slices"])
    took = []
    for _ in range(3):
        start = perf_counter()
        sentences(needed(configuration, scans), True, tmp_path)
        took.append(perf_counter() - start)
    assert min(took) < 0.2


def test_the_disk_of_a_folder_that_is_to_be_made_is_that_above_it(tmp_path):
    # Another process may write meanwhile.
    free = shutil.disk_usage(tmp_path).free
    assert need.free_bytes(tmp_path / "not/yet") == pytest.approx(free, rel=0.05, abs=1e9)
