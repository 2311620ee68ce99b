import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.slices.images import Images, read_images
from pipeline_lib.slices.split import SplitRow, make_split, write_split
from tests.training.stores import CONTRASTS, SLICES, write_patient

NAMES = list(CONTRASTS)


@pytest.fixture
def folders(tmp_path):
    for seed in range(3):
        write_patient(tmp_path, f"sub-{seed}", seed)
    return [tmp_path / f"sub-{seed}" for seed in range(3)]


def read(folders, rows, part, fold=0):
    table = folders[0].parent / "split.csv"
    write_split(table, rows)
    return read_images(folders, table, fold, part)


def rows_of(*patients, split="train"):
    return [SplitRow(0, patient, patient, split) for patient in patients]


def test_an_honest_split_holds_all_images_of_its_patients_in_the_order_of_the_table(folders):
    rows = [*rows_of("sub-2", "sub-0"), *rows_of("sub-1", split="test")]
    train = read(folders, [*rows, *rows_of("sub-0", split="seen")], "train")
    assert [images.slices.patient for images in train] == ["sub-2", "sub-0"]
    assert all(images.held is None for images in train)
    assert train[0].rows(0, 2).tolist() == list(range(SLICES))
    seen = read(folders, [*rows, *rows_of("sub-0", split="seen")], "seen")
    assert [images.slices.patient for images in seen] == ["sub-0"]
    assert len(read(folders, rows, "validation")) == 0


def test_patients_of_other_parts_stay_closed(folders):
    rows = [*rows_of("sub-0"), *rows_of("sub-1", split="test")]
    for file in folders[1].iterdir():
        file.unlink()
    assert len(read(folders, rows, "train")) == 1
    with pytest.raises(InputError, match="missing"):
        list(read(folders, rows, "test"))


def test_rows_are_those_whose_images_of_all_contrasts_are_held(folders):
    drawn = [(0, "PDw"), (0, "T2w"), (1, "T2w"), (3, "T2w"), (3, "PDw")]
    rows = [SplitRow(0, "sub-0", "sub-0", "test", *unit) for unit in drawn]
    (images,) = read(folders, rows, "test")
    assert images.held.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0], [1, 1, 0]]
    assert images.rows(0, 1).tolist() == [0, 3]
    assert images.rows(1).tolist() == [0, 1, 3]
    assert images.rows(1, 2).tolist() == []


@pytest.mark.parametrize("unit", ["slice", "image"])
def test_the_parts_of_a_leaked_split_hold_every_image_once(folders, unit):
    images = {folder.name: (SLICES, NAMES) for folder in folders}
    rows = make_split(list(images), {}, {"leaked": unit, "train": 0.5}, 1, images)
    train, test = (read(folders, rows, part) for part in ("train", "test"))
    for one, other in zip(train, test, strict=True):
        assert one.slices.patient == other.slices.patient
        assert (one.held ^ other.held).all() and one.held.any() and other.held.any()
        if unit == "slice":
            assert (one.held == one.held[:, :1]).all()


@pytest.mark.parametrize("unit", [(SLICES, None), (-1, None), (0, "T3w")])
def test_an_image_that_the_patient_has_not_is_refused(folders, unit):
    with pytest.raises(InputError, match=r"of sub-0, which its slices don't have; make the table"):
        read(folders, [SplitRow(0, "sub-0", "sub-0", "train", *unit)], "train")


def test_a_patient_who_is_named_both_whole_and_in_part_is_refused(folders):
    rows = [*rows_of("sub-0"), SplitRow(0, "sub-0", "sub-0", "train", 1)]
    with pytest.raises(InputError, match="names slice None"):
        read(folders, rows, "train")


def test_a_patient_without_slices_is_refused(folders):
    with pytest.raises(InputError, match="names sub-7, of which there are no slices"):
        read(folders, rows_of("sub-7"), "train")


def test_what_is_held_has_a_place_for_each_image(folders):
    (images,) = read(folders, rows_of("sub-0"), "train")
    with pytest.raises(ValueError, match="held has not the shape"):
        Images(images.slices, np.ones((SLICES, 2), bool))
