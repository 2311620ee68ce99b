import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib.errors import InputError
from pipeline_lib.slices.batch import Batch
from pipeline_lib.slices.datasets import PairedSlices, UnpairedSlices, batches, shuffled
from pipeline_lib.slices.selection import Selection
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.slices.unpair import shift_image
from tests.training.stores import CONTRASTS, SLICES, write_dataset

EVERY = Selection(sources=(0, 1, 2), targets=(0, 1, 2))


@pytest.fixture
def folders(tmp_path):
    return write_dataset(tmp_path, {"sub-01": "train", "sub-02": "train"})


@pytest.fixture
def table(folders, tmp_path):
    return pd.read_csv(tmp_path / "unpaired.csv")


def same(first, second):
    return torch.equal(first.source, second.source) and torch.equal(
        first.target_contrasts, second.target_contrasts
    )


def test_an_epoch_reads_every_item_once_and_the_next_in_another_order():
    first, second = ([shuffled(n, 7, seed=3) for n in range(k * 7, k * 7 + 7)] for k in (0, 1))
    assert sorted(first) == sorted(second) == list(range(7))
    assert first != second


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_taken_up_again_sees_the_batches_it_would_have_seen(folders, table, workers):
    for dataset in (
        PairedSlices(folders, 1, EVERY),
        UnpairedSlices(folders, table, 1, list(CONTRASTS)),
    ):
        whole = list(batches(dataset, 0, 6, size=3, workers=0))
        rest = list(batches(dataset, 4, 6, size=3, workers=workers))
        assert len(rest) == 2
        assert all(same(a, b) for a, b in zip(whole[4:], rest, strict=True))
        assert not same(whole[0], whole[4])


def test_another_seed_gives_other_samples(folders):
    one, other, again = (
        next(batches(PairedSlices(folders, seed, EVERY), 0, 1, 8, 0)) for seed in (1, 2, 1)
    )
    assert not same(one, other)
    assert same(one, again)


def test_a_pair_is_of_one_slice_of_one_patient(folders):
    dataset = PairedSlices(folders, 0, EVERY)
    stores = [PatientSlices.open(folder) for folder in folders]
    mirrored = 0
    for number in range(len(dataset)):
        sample = dataset[number]
        assert np.array_equal(sample.targets[sample.source_contrast], sample.source[0])
        assert sample.source_sequence == list(CONTRASTS.values())[sample.source_contrast]
        assert sample.target_sequences == tuple(CONTRASTS.values())
        flipped = any(
            (store.images == sample.targets[..., ::-1]).all((1, 2, 3)).any() for store in stores
        )
        straight = any((store.images == sample.targets).all((1, 2, 3)).any() for store in stores)
        assert flipped != straight
        mirrored += flipped
    assert 0 < mirrored < len(dataset)


def test_an_unpaired_sample_is_shifted_as_its_row_of_the_table_says(folders, table):
    dataset = UnpairedSlices(folders, table, 0, list(CONTRASTS))
    assert len(dataset) == 2 * SLICES * len(CONTRASTS)
    for number in range(len(dataset)):
        sample = dataset[number]
        row = table.iloc[shuffled(number, len(dataset), 0)]
        store = PatientSlices.open(folders[["sub-01", "sub-02"].index(row.patient)])
        contrast = list(CONTRASTS).index(row.contrast)
        assert sample.source_contrast == contrast != sample.target_contrasts[0]
        assert sample.target_sequences == (list(CONTRASTS.values())[sample.target_contrasts[0]],)
        assert sample.targets is None
        expected = shift_image(store.images[row.slice, contrast], row.shift_rows, row.shift_columns)
        assert np.array_equal(sample.source, expected[None])
        assert sample.body.sum() == store.body[row.slice].sum()


def test_rows_that_are_not_kept_and_other_patients_are_never_read(folders, table):
    table["kept"] = (table["contrast"] == "T2w").astype(int)
    dataset = UnpairedSlices(folders[:1], table, 0, list(CONTRASTS))
    assert len(dataset) == SLICES
    assert {dataset[number].source_contrast for number in range(20)} == {1}
    table["kept"] = 0
    with pytest.raises(InputError, match="keeps no slice"):
        UnpairedSlices(folders, table, 0, list(CONTRASTS))


def test_unseen_contrasts_are_neither_shown_nor_asked_for(folders, table):
    dataset = UnpairedSlices(folders, table, 0, ["PDw", "T1w"])
    samples = [dataset[number] for number in range(40)]
    assert len(dataset) == 2 * SLICES * 2
    assert {sample.source_contrast for sample in samples} == {0, 2}
    assert {sample.target_contrasts for sample in samples} == {(0,), (2,)}
    assert all(sample.target_contrasts != (sample.source_contrast,) for sample in samples)


def test_no_patient_to_train_on_is_told():
    with pytest.raises(InputError, match="no patient to train on"):
        PairedSlices([], 0, EVERY)


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_a_batch_splits_into_equal_parts_that_together_are_it(folders, parts):
    batch = next(batches(PairedSlices(folders, 1, EVERY), 0, 1, 4, 0))
    split = batch.split(parts)
    assert [len(part) for part in split] == [4 // parts] * parts
    assert_together(split, batch)


def test_a_batch_without_targets_splits_too(folders, table):
    batch = next(batches(UnpairedSlices(folders, table, 1, list(CONTRASTS)), 0, 1, 4, 0))
    parts = batch.split(2)
    assert batch.targets is None and [part.targets for part in parts] == [None, None]
    assert torch.equal(torch.cat([part.source for part in parts]), batch.source)


def test_a_batch_is_not_split_unevenly(folders):
    batch = next(batches(PairedSlices(folders, 1, EVERY), 0, 1, 4, 0))
    with pytest.raises(ValueError, match="4 samples can't be split into 3"):
        batch.split(3)


@pytest.mark.parametrize("processes", [2, 3, 6])
def test_the_shares_of_several_processes_together_are_the_batch_of_one(folders, processes):
    dataset = PairedSlices(folders, 1, EVERY)
    alone = list(batches(dataset, 2, 5, 6, 0))
    shares = [list(batches(dataset, 2, 5, 6, 0, rank, processes)) for rank in range(processes)]
    for step, whole in enumerate(alone):
        assert_together([share[step] for share in shares], whole)


def assert_together(parts: list[Batch], whole: Batch) -> None:
    for name in ("source", "targets", "body", "source_contrast", "target_contrasts"):
        assert torch.equal(torch.cat([getattr(p, name) for p in parts]), getattr(whole, name))
    for name in ("source_sequences", "target_sequences"):
        assert sum((getattr(part, name) for part in parts), ()) == getattr(whole, name)
