"""Nothing of what a model is tested on reaches its training: scrambled, it changes no weight."""

import shutil

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.slices.images import read_images
from pipeline_lib.slices.split import make_split, write_split
from pipeline_lib.training.card import read_card
from tests.training.stores import CONTRASTS, SLICES
from tests.training.systems import SPLITS, arguments, losses, make_data, run_here, tiny

SHORT = {"steps": 12, "validate_every": 3, "log_every": 4}


@pytest.fixture
def data(tmp_path):
    return make_data(tmp_path / "as-it-is")


def copied(data, name):
    return shutil.copytree(data, data.parent / name)


def scramble(data, patient, which=None):
    """Put noise in the place of a patient's images (all, or bool [slice, contrast]) and masks."""
    folder, rng = data / "slices" / patient, np.random.default_rng(9)
    for name in ("images", "body", "tissues"):
        values = np.load(folder / f"{name}.npy")
        if name == "images" and which is not None:
            values[which] = rng.normal(size=values[which].shape)
        elif name == "images":
            values = rng.normal(size=values.shape).astype(np.float32)
        elif which is None:
            values = rng.integers(0, 2, values.shape).astype(np.uint8)
        np.save(folder / f"{name}.npy", values)


def trained(data, model, **options):
    """Train and give the bytes of the weights and the card."""
    run_here(arguments(data, model, "model", **options))
    return (data / "model" / "model.safetensors").read_bytes(), read_card(data / "model")


@pytest.mark.parametrize("system", ["unet", "unet_plain"])
def test_scrambled_test_patients_change_nothing_of_a_training(data, system):
    scrambled = copied(data, "scrambled")
    scramble(scrambled, "sub-04")
    (weights, card), (again, other) = (
        trained(folder, tiny(system, **SHORT)) for folder in (data, scrambled)
    )
    assert weights == again
    assert card["weights"] == other["weights"] and card["metrics"] == other["metrics"]
    pd.testing.assert_frame_equal(
        losses(data / "model"), losses(scrambled / "model"), check_exact=True
    )


@pytest.mark.parametrize(("patient", "same"), [("sub-01", False), ("sub-03", True)])
def test_scrambled_training_or_validation_patients_do_change_it(data, patient, same):
    """So that the test above can fail: both the data and the choice of weights are looked at."""
    scrambled = copied(data, "scrambled")
    scramble(scrambled, patient)
    model = tiny("unet", **SHORT)
    (_, card), (_, other) = (trained(folder, model) for folder in (data, scrambled))
    assert card["metrics"]["validation_mse"] != other["metrics"]["validation_mse"]
    said = [losses(folder / "model").query("name == 'loss'") for folder in (data, scrambled)]
    assert (said[0].value.to_numpy() == said[1].value.to_numpy()).all() == same


def leak(data, unit):
    """Write a split that leaks, and give what each patient is tested on."""
    images = {patient: (SLICES, list(CONTRASTS)) for patient in SPLITS}
    split = {"leaked": unit, "train": 0.5, "patients": ["sub-01", "sub-04"]}
    write_split(data / "leaked.csv", make_split(list(SPLITS), {}, split, 3, images))
    folders = [data / "slices" / patient for patient in SPLITS]
    return read_images(folders, data / "leaked.csv", 0, "test")


@pytest.mark.parametrize(
    ("system", "unit"),
    [("unet", "image"), ("paramnet", "image"), ("simko", "image"), ("crl_paper", "image"),
     ("alkan", "slice"), ("unet_plain", "slice")],
)  # fmt: skip
def test_scrambled_test_images_of_a_leaked_split_change_no_weight(data, system, unit):
    model = tiny(system, **({**SHORT, "targets": 2} if system == "unet" else {"log_every": 4}))
    scrambled, shown = copied(data, "scrambled"), copied(data, "shown")
    for images in leak(scrambled, unit):
        scramble(scrambled, images.slices.patient, images.held)
    for images in leak(shown, unit):
        scramble(shown, images.slices.patient, ~images.held)
    leak(data, unit)
    (weights, card), (again, other), (third, _) = (
        trained(folder, model, splits="leaked.csv") for folder in (data, scrambled, shown)
    )
    assert weights == again != third
    assert card["data"] != other["data"]
    assert card["weights"] == "last step, as no patient is for validation"
    assert card["patients"] == {
        "train": ["sub-01", "sub-04"], "validation": [], "test": ["sub-01", "sub-04"],
    }  # fmt: skip


def test_the_one_source_of_all_predictions_is_given_of_test_images_too(data):
    """Where all starts from one contrast, its test images are shown, but none is asked for."""
    model = tiny("paramnet", default_source="PDw", autoencoder_steps=0, steps=8)
    others, sources = copied(data, "others"), copied(data, "sources")
    for folder, source in ((others, False), (sources, True)):
        for images in leak(folder, "image"):
            held = images.held & (np.arange(len(CONTRASTS)) == 0 if source else [0, 1, 1]) > 0
            scramble(folder, images.slices.patient, held)
    leak(data, "image")
    weights, again, third = (
        trained(folder, model, splits="leaked.csv")[0] for folder in (data, others, sources)
    )
    assert weights == again != third


def test_a_checkpoint_of_other_held_images_is_not_taken_up(data, caplog):
    def is_resumed():
        caplog.clear()
        with caplog.at_level("INFO"):
            trained(data, tiny("unet", **SHORT), splits="leaked.csv")
        return "resumed at step 12 " in caplog.text

    leak(data, "image")
    assert not is_resumed()
    assert is_resumed()
    leak(data, "slice")
    assert not is_resumed()


def test_seen_patients_change_nothing_of_a_training(data):
    table = pd.read_csv(data / "split.csv")
    seen = table[table.split == "train"].assign(split="seen")
    pd.concat([table, seen]).to_csv(data / "seen.csv", index=False)
    model = tiny("unet", **SHORT)
    weights, card = trained(data, model)
    (data / "model").rename(data / "without")
    shutil.rmtree(data / "model-checkpoints")
    again, other = trained(data, model, splits="seen.csv")
    assert weights == again
    assert card["patients"] == other["patients"] and card["data"] == other["data"]
