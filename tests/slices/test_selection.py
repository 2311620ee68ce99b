import dataclasses

import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.slices.selection import Channels, Patches, augmented
from pipeline_lib.slices.store import PatientSlices
from tests.training.stores import CONTRASTS, SIZE, write_patient

# Two sessions of three slices, one after the other.
SESSIONS = ("ses-1",) * 3 + ("ses-2",) * 3


@pytest.fixture
def store(tmp_path) -> PatientSlices:
    written = write_patient(tmp_path, "sub-01", seed=0, slices=len(SESSIONS))
    return dataclasses.replace(written, sessions=SESSIONS)


def draws(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("contrast", range(len(CONTRASTS)))
def test_without_anything_besides_a_source_is_the_slice_itself(store, contrast):
    read = Channels().read(store, 2, contrast)
    assert len(Channels()) == 1 and read.dtype == np.float32
    assert np.array_equal(read, store.images[2, contrast][None])


@pytest.mark.parametrize(
    ("row", "rows"),
    [
        (0, [0, 0, 1]),  # the first of the volume
        (1, [1, 0, 2]),
        (2, [2, 1, 2]),  # the last of its session
        (3, [3, 3, 4]),  # the first of the next
        (5, [5, 4, 5]),  # the last of the volume
    ],
)
def test_the_slice_comes_first_then_the_one_before_then_the_one_after(store, row, rows):
    read = Channels(neighbours=1).read(store, row, 1)
    assert np.array_equal(read, store.images[rows, 1])


@pytest.mark.parametrize(("row", "rows"), [(0, [0, 0, 1, 0, 2]), (4, [4, 3, 5, 3, 5])])
def test_beyond_a_sessions_end_its_last_slice_is_repeated(store, row, rows):
    assert len(Channels(neighbours=2)) == 5
    assert np.array_equal(Channels(neighbours=2).read(store, row, 0), store.images[rows, 0])


def test_masks_are_minus_one_and_one_with_the_union_of_all_first(store):
    channels = Channels(neighbours=1, tissues=("bladder", "muscle"))
    read = channels.read(store, 3, 0)
    assert len(channels) == len(read) == 6
    union, bladder, muscle = read[3:]
    assert set(np.unique(read[3:])) == {-1, 1}
    assert np.array_equal(bladder > 0, store.tissues[3] == 2)
    assert np.array_equal(muscle > 0, store.tissues[3] == 1)
    assert np.array_equal(union > 0, store.tissues[3] > 0)


def test_a_union_is_of_the_tissues_asked_for_alone(store):
    union, bladder = Channels(tissues=("bladder",)).read(store, 0, 0)[1:]
    assert np.array_equal(union, bladder) and (union > 0).sum() < (store.tissues[0] > 0).sum()


def test_a_tissue_that_a_patient_lacks_is_told(store):
    with pytest.raises(InputError, match="sub-01 has no tissue bone"):
        Channels(tissues=("muscle", "bone")).read(store, 0, 0)


def test_a_window_is_cut_from_every_channel(store):
    channels, window = Channels(1, ("muscle", "bladder")), (slice(3, 20), slice(10, 15))
    whole = channels.read(store, 1, 2)
    assert np.array_equal(channels.read(store, 1, 2, window), whole[:, 3:20, 10:15])


def test_several_slices_are_read_as_one_by_one(store):
    channels = Channels(1, ("muscle",))
    expected = np.stack([channels.read(store, row, 1) for row in (4, 0)])
    assert np.array_equal(channels.read_all(store, [4, 0], 1), expected)


def test_the_papers_slices_give_the_papers_patches():
    """Alkan et al. 2017, section 3: 12,480 patches of 128 x 128 a patient of 260 slices."""
    places = Patches(128, stride=24).grid(260, 311)
    assert len(places) == 48 and 260 * len(places) == 12_480
    assert places[0] == (0, 0) and places[1] == (0, 24) and places[-1] == (120, 168)


@pytest.mark.parametrize(
    ("size", "stride", "count"), [(32, 1, 1), (31, 1, 4), (16, 16, 4), (16, 15, 4), (16, 17, 1)]
)
def test_a_grid_holds_every_patch_that_fits(size, stride, count):
    places = Patches(size, stride).grid(32, 32)
    assert len(places) == len(set(places)) == count
    assert all(max(place) + size <= 32 for place in places)


@pytest.mark.parametrize("stride", [None, 24])
@pytest.mark.parametrize("shape", [(127, 311), (260, 127)])
def test_slices_smaller_than_a_patch_are_refused(stride, shape):
    with pytest.raises(InputError, match=r"128 x 128 don't fit .* patch_size .* at most 127"):
        Patches(128, stride).grid(*shape)


@pytest.mark.parametrize(
    ("margin", "length", "first", "last"),
    [
        (20, 200, 20, 200 - 64 - 20),
        (0, 200, 0, 200 - 64),
        (20, 104, 20, 20),  # just room for the margin
        (20, 80, 8, 8),  # none: the middle
        (20, 64, 0, 0),
    ],
)
def test_patches_anywhere_keep_the_margin_where_there_is_room(margin, length, first, last):
    patches, random = Patches(64, margin=margin), draws()
    windows = [patches.window((0, 0), (length, 300), random) for _ in range(2000)]
    assert {rows.stop - rows.start for rows, _ in windows} == {64}
    starts = {rows.start for rows, _ in windows}
    assert (min(starts), max(starts)) == (first, last)
    assert starts == set(range(first, last + 1))
    columns = {columns.start for _, columns in windows}
    assert min(columns) >= margin and max(columns) + 64 <= 300 - margin


def test_a_grids_patch_lies_where_the_grid_says():
    window = Patches(16, stride=8).window((8, 24), (64, 64), draws())
    assert window == (slice(8, 24), slice(24, 40))


def test_no_augmentation_leaves_the_image_and_the_draws():
    image, random = np.arange(6).reshape(1, 2, 3), draws()
    assert np.array_equal(augmented(image, "none", random), image)
    assert random.random() == draws().random()


def augmentations(kind, image):
    """Give all images that 200 draws make, and how often each."""
    made = [augmented(image, kind, draws(seed)).tobytes() for seed in range(200)]
    return {each: made.count(each) for each in set(made)}


def test_mirroring_flips_columns_alone_for_half_of_the_images():
    image = np.arange(9).reshape(1, 3, 3)
    counts = augmentations("mirror", image)
    assert set(counts) == {image.tobytes(), image[..., ::-1].tobytes()}
    assert 80 < counts[image.tobytes()] < 120


def test_a_dihedral_augmentation_gives_all_eight_positions_of_a_square():
    image = np.arange(9).reshape(1, 3, 3)
    turned = [np.rot90(each, k, (1, 2)) for each in (image, image[..., ::-1]) for k in range(4)]
    counts = augmentations("dihedral", image)
    assert set(counts) == {each.tobytes() for each in turned}
    assert min(counts.values()) > 10


def test_all_images_of_a_stack_are_turned_alike():
    stack = np.broadcast_to(np.random.default_rng(0).random((SIZE, SIZE)), (4, SIZE, SIZE))
    for seed in range(20):
        turned = augmented(stack, "dihedral", draws(seed))
        assert all(np.array_equal(each, turned[0]) for each in turned)
