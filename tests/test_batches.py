"""Patients that share jobs."""

from pathlib import Path

import pytest

from pipeline_lib.batches import (
    batches,
    dataset_of,
    folders_by_name,
    is_batch,
    members_of,
    single_folders,
)

PATIENTS = [f"sub-{number:04d}" for number in range(1000)]


def made(root, *names):
    for name in names:
        (root / name).mkdir(parents=True)
    return [root / name for name in names]


def test_alone_a_patient_is_a_batch_of_its_own():
    assert batches(PATIENTS[:2], 1) == {"sub-0000": ["sub-0000"], "sub-0001": ["sub-0001"]}


def test_everyone_is_in_one_batch_of_about_the_size_asked_for():
    dealt = batches(PATIENTS, 20)
    assert sorted(patient for batch in dealt.values() for patient in batch) == PATIENTS
    assert all(map(is_batch, dealt))
    assert list(dealt) == sorted(dealt)
    assert max(map(len, dealt.values())) <= 2 * 20


@pytest.mark.parametrize("patients_per_job", [2, 7, 100])
def test_one_patient_more_or_less_changes_one_batch(patients_per_job):
    before = batches(PATIENTS[:300], patients_per_job)
    after = batches([*PATIENTS[:99], *PATIENTS[100:301]], patients_per_job)
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    assert 1 <= len(changed) <= 2


def test_folders_of_batches_become_those_of_their_members_in_order_of_name(tmp_path):
    made(tmp_path, "batch-0000/sub-002", "batch-0000/sub-004", "batch-0001/sub-003")
    (tmp_path / "batch-0000/members.json").write_text("{}")
    found = single_folders([tmp_path / "batch-0000", tmp_path / "batch-0001", Path("sub-001")])
    assert [path.name for path in found] == ["sub-002", "sub-003", "sub-004", "sub-001"]
    assert found[0] == tmp_path / "batch-0000/sub-002"


def test_folders_are_found_by_name_in_batches_or_not(tmp_path):
    made(tmp_path, "batch-0003/sub-007", "sub-001", ".members/sub-009", ".partial-1-sub-008")
    assert folders_by_name(tmp_path) == {
        "sub-001": tmp_path / "sub-001",
        "sub-007": tmp_path / "batch-0003/sub-007",
    }
    assert dataset_of(Path("slices/pelvis/sub-001")) == "pelvis"
    assert dataset_of(Path("slices/pelvis/batch-0001/sub-001")) == "pelvis"
    assert members_of(tmp_path) == [tmp_path / "sub-001"]
