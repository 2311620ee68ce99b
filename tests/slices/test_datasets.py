import pickle

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib.errors import InputError
from pipeline_lib.slices.datasets import PairedSlices, UnpairedSlices, batches, shuffled
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.slices.unpair import shift_image
from tests.training.stores import CONTRASTS, SLICES, write_dataset


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
    for dataset in (PairedSlices(folders, seed=1), UnpairedSlices(folders, table, seed=1)):
        whole = list(batches(dataset, 0, 6, size=3, workers=0))
        rest = list(batches(dataset, 4, 6, size=3, workers=workers))
        assert len(rest) == 2
        assert all(same(a, b) for a, b in zip(whole[4:], rest, strict=True))
        assert not same(whole[0], whole[4])


def test_another_seed_gives_other_samples(folders):
    one, other = (next(batches(PairedSlices(folders, seed), 0, 1, 8, 0)) for seed in (1, 2))
    assert not same(one, other)


def test_a_pair_is_of_one_slice_of_one_patient(folders):
    dataset = PairedSlices(folders, seed=0)
    stores = [PatientSlices.open(folder) for folder in folders]
    mirrored = 0
    for number in range(len(dataset)):
        sample = dataset[number]
        assert np.array_equal(sample.targets[sample.source_contrast], sample.source)
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
    dataset = UnpairedSlices(folders, table, seed=0)
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
        assert np.array_equal(sample.source, expected)
        assert sample.body.sum() == store.body[row.slice].sum()


def test_rows_that_are_not_kept_and_other_patients_are_never_read(folders, table):
    table["kept"] = (table["contrast"] == "T2w").astype(int)
    dataset = UnpairedSlices(folders[:1], table, seed=0)
    assert len(dataset) == SLICES
    assert {dataset[number].source_contrast for number in range(20)} == {1}
    table["kept"] = 0
    with pytest.raises(InputError, match="keeps no slice"):
        UnpairedSlices(folders, table, seed=0)


def test_a_worker_gets_paths_and_no_arrays(folders):
    dataset = PairedSlices(folders, seed=0)
    dataset[0]
    assert len(pickle.dumps(dataset)) < 2000


def test_no_patient_to_train_on_is_told():
    with pytest.raises(InputError, match="no patient to train on"):
        PairedSlices([], seed=0)
