"""Training stages as the workflow calls them, on small stores; see also tests/training."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from pipeline_lib.training.card import read_card
from tests.training.stores import CONTRASTS
from tests.training.systems import arguments, losses, make_data, run_here, tiny

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def data(tmp_path):
    return make_data(tmp_path)


def run(command, check=True):
    return subprocess.run(
        [sys.executable, "-m", *command], env=ENVIRONMENT, check=check, capture_output=True,
        text=True,
    )  # fmt: skip


def wait_for_checkpoint(data, output):
    folder = data / f"{output}-checkpoints"
    end = time.monotonic() + 60
    while not list(folder.glob("[!.]*.safetensors")):
        assert time.monotonic() < end, "no checkpoint appeared"
        time.sleep(0.002)


def same_weights(first, second):
    first, second = (load_file(folder / "model.safetensors") for folder in (first, second))
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize(
    ("model", "how"),
    [
        (tiny("unet", steps=60), signal.SIGKILL),
        (tiny("unet", steps=60), signal.SIGTERM),
        (tiny("simko", identity_steps=15, real_steps=15, adversarial_steps=15), signal.SIGKILL),
    ],
    ids=["unet-SIGKILL", "unet-SIGTERM", "simko-SIGKILL"],
)
def test_a_killed_training_ends_in_the_weights_of_one_that_was_not(data, model, how, caplog):
    """Of the other systems, which are killed in one process, see tests/training/test_systems."""
    run_here(arguments(data, model, "whole"))
    command = [sys.executable, "-m", *arguments(data, model, "killed")]
    killed = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    wait_for_checkpoint(data, "killed")
    time.sleep(0.03)
    killed.send_signal(how)
    _, said = killed.communicate()
    assert killed.returncode == (128 + how if how == signal.SIGTERM else -how), said
    assert not (data / "killed").exists()

    with caplog.at_level("INFO"):
        run_here(arguments(data, model, "killed"))
    assert "resumed at step" in caplog.text
    for name in ("model", "discriminator")[: 1 if model["system"] == "unet" else 2]:
        whole, killed = (load_file(data / x / f"{name}.safetensors") for x in ("whole", "killed"))
        assert all(torch.equal(whole[key], killed[key]) for key in whole)
    pd.testing.assert_frame_equal(losses(data / "whole"), losses(data / "killed"), check_exact=True)


def test_a_finished_checkpoint_is_taken_as_it_is_and_changed_settings_are_not(data, caplog):
    def is_resumed(model):
        caplog.clear()
        with caplog.at_level("INFO"):
            run_here(arguments(data, model, "model"))
        return "resumed at step 10 " in caplog.text

    model = tiny("unet", steps=10)
    assert not is_resumed(model)
    assert is_resumed(model)
    assert not is_resumed({**model, "learning_rate": 5.0e-3})
    image = data / "slices" / "sub-01" / "images.npy"
    np.save(image, np.load(image) * 2)
    assert not is_resumed(model)


def test_the_best_weights_are_kept_and_described(data):
    run_here(arguments(data, tiny("unet", steps=60, validate_every=10), "model"))
    table = losses(data / "model")
    validation = table[table.name == "validation_mse"]
    assert list(validation.step) == [10, 20, 30, 40, 50, 60]
    card = read_card(data / "model")
    best = validation.loc[validation.value.idxmin()]
    assert card["weights"] == f"step {best.step}, the best by validation"
    assert card["metrics"]["validation_mse"] == best.value
    assert card["patients"]["validation"] == ["sub-03"]
    assert card["system"] == "unet" and card["code"] == "digest" and card["steps"] == 60
    assert list(card["contrasts"]) == list(CONTRASTS)


def test_training_never_opens_a_test_patient(data):
    run_here(arguments(data, tiny("unet", steps=10), "whole"))
    for file in (data / "slices" / "sub-04").iterdir():
        file.unlink()
    run_here(arguments(data, tiny("unet", steps=10), "blind"))
    assert same_weights(data / "whole", data / "blind")


def test_without_validation_patients_the_last_weights_are_kept(data):
    table = pd.read_csv(data / "split.csv")
    table[table.split != "validation"].to_csv(data / "fewer.csv", index=False)
    run_here(arguments(data, tiny("unet", steps=5), "model", splits="fewer.csv"))
    card = read_card(data / "model")
    assert card["weights"] == "last step, as no patient is for validation"
    assert card["metrics"] == {"validation_mse": None}


def test_patience_ends_a_training_that_gets_no_better(data):
    """At a rate of 0 every validation is as good as the first."""
    model = tiny("unet", steps=200, validate_every=1, patience=3, learning_rate=0.0)
    run_here(arguments(data, model, "model"))
    card = read_card(data / "model")
    assert card["steps"] == 4 and card["weights"] == "step 1, the best by validation"


def test_simko_logs_the_accuracies_of_its_stages(data):
    model = tiny("simko", identity_steps=5, real_steps=5, adversarial_steps=5)
    run_here(arguments(data, model, "model"))
    named = losses(data / "model").groupby("phase").name.agg(set)
    assert named["identity"] == {"g_loss"}
    assert named["real_contrasts"] == {"d_loss", "d_real_accuracy"}
    accuracies = {"d_real_accuracy", "d_fake_accuracy", "gan_accuracy"}
    assert named["adversarial"] == accuracies | {"d_loss", "gan_loss", "validation_mse"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"loss": "mae"}, "Error: loss is l1 or l2, not 'mae'"),
        ({"learning_rate": 1.0e30}, "train with a lower learning_rate"),
    ],
)
def test_a_bad_setting_is_one_sentence(data, change, sentence):
    done = run(arguments(data, tiny("unet", **change), "model"), check=False)
    assert done.returncode == 1
    assert sentence in done.stderr and "Traceback" not in done.stderr
    assert not (data / "model").exists()
