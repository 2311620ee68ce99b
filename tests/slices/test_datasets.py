import pickle
from collections import Counter
from dataclasses import replace
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib.errors import InputError
from pipeline_lib.slices.batch import Batch
from pipeline_lib.slices.datasets import PairedSlices, UnpairedSlices, batches
from pipeline_lib.slices.selection import Channels, Selection
from pipeline_lib.slices.shuffled import place_in_order
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
    order = [place_in_order(number, 7, seed=3) for number in range(14)]
    first, second = order[:7], order[7:]
    assert sorted(first) == sorted(second) == list(range(7))
    assert first != second


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_taken_up_again_sees_the_batches_it_would_have_seen(folders, table, workers):
    for dataset in (
        PairedSlices(folders, 1, EVERY),
        UnpairedSlices(folders, [table], 1, list(CONTRASTS)),
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
    dataset = UnpairedSlices(folders, [table], 0, list(CONTRASTS))
    assert len(dataset) == 2 * SLICES * len(CONTRASTS)
    for number in range(len(dataset)):
        sample = dataset[number]
        row = table.iloc[place_in_order(number, len(dataset), 0)]
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
    dataset = UnpairedSlices(folders[:1], [table], 0, list(CONTRASTS))
    assert len(dataset) == SLICES
    assert {dataset[number].source_contrast for number in range(20)} == {1}
    table["kept"] = 0
    with pytest.raises(InputError, match="keeps no slice"):
        UnpairedSlices(folders, [table], 0, list(CONTRASTS))


def test_unseen_contrasts_are_neither_shown_nor_asked_for(folders, table):
    dataset = UnpairedSlices(folders, [table], 0, ["PDw", "T1w"])
    samples = [dataset[number] for number in range(40)]
    assert len(dataset) == 2 * SLICES * 2
    assert {sample.source_contrast for sample in samples} == {0, 2}
    assert {sample.target_contrasts for sample in samples} == {(0,), (2,)}
    assert all(sample.target_contrasts != (sample.source_contrast,) for sample in samples)


HELD = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 0]], bool)


def shown(dataset, count):
    """Give patient, slice, source and targets of samples, as their own images tell them."""
    stores = [PatientSlices.open(folder) for folder in dataset.folders]
    for number in range(count):
        sample = dataset[number]
        for patient, store in enumerate(stores):
            found = np.flatnonzero(
                (store.images[:, sample.source_contrast] == sample.source[0]).all((1, 2))
            )
            for row in found:
                wanted = store.images[row, list(sample.target_contrasts)]
                assert sample.targets is None or np.array_equal(wanted, sample.targets)
                yield patient, int(row), sample.source_contrast, sample.target_contrasts


def unmirrored(**changes):
    return replace(EVERY, augmentation="none", **changes)


def test_only_held_images_are_sources_and_targets(folders):
    """The slice of one held image has no pair, and the patient of whom none is held is not read."""
    held = [HELD, np.zeros_like(HELD)]
    dataset = PairedSlices(folders, 0, unmirrored(drawn_targets=1), held)
    assert len(dataset) == 2
    seen = set(shown(dataset, 200))
    assert seen == {
        (0, row, source, (target,))
        for row, pair in ((0, (0, 1)), (2, (1, 2)))
        for source in pair
        for target in pair
    }


def test_a_source_that_is_alone_need_not_be_held(folders):
    dataset = PairedSlices(folders, 0, unmirrored(sources=(0,), drawn_targets=1), [HELD, HELD])
    assert len(dataset) == 4  # slice 1 holds its source alone
    assert set(shown(dataset, 200)) == {
        (patient, row, 0, (target,))
        for patient in (0, 1)
        for row, targets in ((0, (0, 1)), (2, (1, 2)))
        for target in targets
    }


def test_a_patient_is_held_whole_beside_one_in_part(folders):
    dataset = PairedSlices(folders, 0, unmirrored(), [None, HELD])
    assert len(dataset) == SLICES + 2
    rows = Counter((patient, row) for patient, row, _, _ in shown(dataset, 2 * len(dataset)))
    assert rows == {**{(0, row): 2 for row in range(SLICES)}, (1, 0): 2, (1, 2): 2}


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5])
def test_all_samples_have_equally_many_targets_of_which_held_ones_are_repeated(folders, count):
    dataset = PairedSlices(folders, 0, unmirrored(drawn_targets=count), [HELD, None])
    wanted = min(count, 3) or 3
    drawn = {0: set(), 1: set()}
    for patient, _, _, targets in shown(dataset, 100):
        assert len(targets) == wanted
        assert len(set(targets)) == min(wanted, (2, 3)[patient])
        drawn[patient].add(targets)
    assert drawn[1] == (
        {(0, 1, 2)} if wanted == 3 else set(permutations(range(3), wanted))
    )  # all of them stay in order
    if wanted == 3:
        assert drawn[0] == {
            (*pair, last) for at in ((0, 1), (1, 2)) for pair in permutations(at) for last in at
        }
    assert next(batches(dataset, 0, 1, 6, 0)).targets.shape[:2] == (6, wanted)


def test_drawn_targets_come_equally_often(folders):
    dataset = PairedSlices(folders, 0, unmirrored(drawn_targets=2))
    counts = Counter(target for _, _, _, targets in shown(dataset, 600) for target in targets)
    assert sum(counts.values()) == 1200
    assert all(abs(count - 400) < 60 for count in counts.values())


def test_no_pair_of_held_images_is_told(folders):
    single = np.eye(SLICES, 3, dtype=bool)
    with pytest.raises(InputError, match="holds no pair of images to train on"):
        PairedSlices(folders, 0, EVERY, [single, single])


def test_neighbours_of_held_images_are_refused(folders):
    beside = replace(EVERY, channels=Channels(neighbours=1))
    PairedSlices(folders, 0, beside)
    with pytest.raises(InputError, match="neighbouring slices would be shown test images"):
        PairedSlices(folders, 0, beside, [None, HELD])


def test_what_is_held_is_of_every_patient(folders, table):
    with pytest.raises(ValueError, match="held of 1 patients for 2 folders"):
        PairedSlices(folders, 0, EVERY, [HELD])
    with pytest.raises(ValueError, match="held of 1 patients for 2 folders"):
        UnpairedSlices(folders, [table], 0, list(CONTRASTS), [HELD])


def test_unpaired_samples_are_of_held_images_alone(folders, table):
    table[["shift_rows", "shift_columns"]] = 0
    dataset = UnpairedSlices(folders, [table], 0, list(CONTRASTS), [HELD, np.zeros_like(HELD)])
    assert len(dataset) == HELD.sum()
    seen = {(patient, row, source) for patient, row, source, _ in shown(dataset, 2 * len(dataset))}
    assert seen == {(0, row, contrast) for row, contrast in np.argwhere(HELD).tolist()}
    with pytest.raises(InputError, match="keeps no slice"):
        UnpairedSlices(folders, [table], 0, list(CONTRASTS), [np.zeros_like(HELD)] * 2)


def test_workers_are_given_paths_and_what_is_held(folders):
    dataset = PairedSlices(folders, 1, unmirrored(drawn_targets=2), [HELD, None])
    alone, helped = (list(batches(dataset, 0, 4, 3, workers)) for workers in (0, 2))
    assert all(same(a, b) for a, b in zip(alone, helped, strict=True))
    assert len(pickle.dumps(dataset)) < 3000


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
    batch = next(batches(UnpairedSlices(folders, [table], 1, list(CONTRASTS)), 0, 1, 4, 0))
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
