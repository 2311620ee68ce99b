"""Samples of a selection: which contrasts, channels and parts of a slice they hold."""

import pickle
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.slices.datasets import PairedSlices
from pipeline_lib.slices.selection import Channels, Patches, Selection
from pipeline_lib.slices.store import PatientSlices
from tests.training.stores import CONTRASTS, SIZE, write_patient

SLICES_OF = (3, 1, 5)
PAIR = Selection(sources=(0,), targets=(1,), augmentation="none")
ANY = Selection(sources=(0, 1, 2), targets=(0, 1, 2), augmentation="none")


@pytest.fixture
def folders(tmp_path):
    """Patients of different numbers of slices, whose pixels all differ."""
    first, folders = 0, []
    for number, slices in enumerate(SLICES_OF):
        store = write_patient(tmp_path / "made", f"sub-{number}", seed=number, slices=slices)
        pixels = first + np.arange(store.images.size, dtype=np.float32)
        first += store.images.size
        folders.append(tmp_path / f"sub-{number}")
        replace(store, images=pixels.reshape(store.images.shape)).write(folders[-1])
    return folders


@pytest.mark.parametrize(
    "patches", [None, Patches(16, stride=16), Patches(20, stride=5), Patches(32, stride=7)]
)
def test_an_epoch_holds_every_patch_of_every_slice_of_every_patient_once(folders, patches):
    dataset = PairedSlices(folders, 3, replace(PAIR, patches=patches))
    size = patches.size if patches else SIZE
    places = patches.grid(SIZE, SIZE) if patches else [(0, 0)]
    expected = Counter(
        store.images[slice_, 0, row : row + size, column : column + size].tobytes()
        for store in map(PatientSlices.open, folders)
        for slice_ in range(len(store))
        for row, column in places
    )
    assert len(dataset) == len(expected) == sum(SLICES_OF) * len(places)
    for epoch in range(2):
        numbers = range(epoch * len(dataset), (epoch + 1) * len(dataset))
        assert Counter(dataset[number].source.tobytes() for number in numbers) == expected


def test_patches_anywhere_are_one_a_slice_and_others_in_the_next_epoch(folders):
    dataset = PairedSlices(folders, 3, replace(PAIR, patches=Patches(12, margin=4)))
    assert len(dataset) == sum(SLICES_OF)
    first, second = (
        {dataset[number].source.tobytes() for number in range(start, start + len(dataset))}
        for start in (0, len(dataset))
    )
    assert len(first) == len(dataset) and not first & second


@pytest.mark.parametrize("augmentation", ["none", "mirror", "dihedral"])
@pytest.mark.parametrize("patches", [None, Patches(16, stride=8), Patches(16, margin=4)])
def test_source_masks_targets_and_body_stay_of_the_same_pixels(tmp_path, augmentation, patches):
    """Where every pixel says where it is, so does each image of a sample, and says the same."""
    store = write_patient(tmp_path / "made", "sub-1", seed=0)
    place = np.arange(store.body.size).reshape(store.body.shape).astype(np.float32)
    steps = 1_000_000 * np.arange(len(CONTRASTS))[:, None, None]
    body = place.astype(int) % 7 < 3
    replace(
        store, images=place[:, None] + steps, body=body, tissues=np.where(place % 5 < 2, 1, 0)
    ).write(tmp_path / "sub-1")
    chosen = replace(
        ANY, channels=Channels(tissues=("muscle",)), patches=patches, augmentation=augmentation
    )
    dataset = PairedSlices([tmp_path / "sub-1"], 0, chosen)
    for number in range(len(dataset)):
        sample = dataset[number]
        pixels = sample.source[0] - 1_000_000 * sample.source_contrast
        for contrast, target in enumerate(sample.targets):
            assert np.array_equal(target - 1_000_000 * contrast, pixels)
        assert np.array_equal(sample.body, pixels % 7 < 3)
        assert np.array_equal(sample.source[2] > 0, pixels % 5 < 2)


def test_the_source_is_drawn_and_all_targets_are_held(folders):
    dataset = PairedSlices(folders, 0, replace(ANY, targets=(2, 0)))
    samples = [dataset[number] for number in range(60)]
    assert {sample.source_contrast for sample in samples} == {0, 1, 2}
    assert {sample.target_contrasts for sample in samples} == {(2, 0)}
    assert {sample.targets.shape for sample in samples} == {(2, SIZE, SIZE)}


def test_one_target_is_drawn_of_those_asked_for(folders):
    dataset = PairedSlices(folders, 0, replace(ANY, targets=(2, 0), drawn_targets=1))
    stores = [PatientSlices.open(folder) for folder in folders]
    drawn = Counter()
    for number in range(90):
        sample = dataset[number]
        (target,) = sample.target_contrasts
        drawn[sample.source_contrast, target] += 1
        assert sample.targets.shape == (1, SIZE, SIZE)
        assert sample.target_sequences == (list(CONTRASTS.values())[target],)
        assert any(
            (store.images[:, target] == sample.targets).all((1, 2)).any() for store in stores
        )
    assert set(drawn) == {(source, target) for source in range(3) for target in (0, 2)}


def test_nothing_is_stored_of_each_patch(folders):
    dataset = PairedSlices(folders, 0, replace(PAIR, patches=Patches(8, stride=1)))
    dataset[0]
    few = PairedSlices(folders, 0, PAIR)
    few[0]
    assert len(dataset) == 9 * 625
    assert len(pickle.dumps(dataset)) < len(pickle.dumps(few)) + 200 < 2000


def test_patches_larger_than_the_slices_are_refused(folders):
    with pytest.raises(InputError, match="patches of 33 x 33 don't fit"):
        PairedSlices(folders, 0, replace(PAIR, patches=Patches(33)))
