"""Both training stages and `predict`, as the workflow calls them, on small stores."""

import csv
import json
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

from pipeline_lib.training.card import load_model, read_card
from tests.training.stores import CONTRASTS, SIZE, SLICES, write_dataset

SPLITS = {"sub-01": "train", "sub-02": "train", "sub-03": "validation", "sub-04": "test"}
LOOP = {
    "batch_size": 4, "log_every": 5, "validate_every": 10, "validation_slices": 2,
    "checkpoint_seconds": 0.0, "workers": 0,
}  # fmt: skip
UNET = {
    "name": "unet", "system": "unet", "pixel_block": 2, "channels": [4, 8], "features": 4,
    "embedding": 8, "steps": 60, "learning_rate": 1.0e-2, "warm_up": 0.1, "weight_decay": 0.01,
    "loss": "l1", "background": 0.1, **LOOP,
}  # fmt: skip
SIMKO = {
    "name": "simko", "system": "simko", "channels": 2, "signal": "simko",
    "batch_norm_momentum": 0.1, "discriminator_channels": 4, "learning_rate": 1.0e-3,
    "discriminator_rate": 1.0e-3, "adversarial_rate": 1.0e-3,
    "identity_steps": 10, "real_steps": 10,
    "real_accuracy": 0.8, "adversarial_steps": 10, **LOOP,
}  # fmt: skip


@pytest.fixture
def data(tmp_path):
    write_dataset(tmp_path, SPLITS)
    return tmp_path


def command(data, model, output, splits="split.csv", patients=SPLITS):
    folder = data / output
    return [
        sys.executable, "-m", f"pipeline_lib.stages.train_{model['system']}",
        "--slices", *(str(data / "slices" / patient) for patient in patients),
        "--split", str(data / splits), "--unpaired", str(data / "unpaired.csv"), "--fold", "0",
        "--checkpoints", f"{folder}-checkpoints", "--output", str(folder), "--code", "digest",
        "--options", json.dumps({"seed": 1, "experiment": "disc", "model": model}),
    ]  # fmt: skip


def run(arguments, check=True):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(arguments, env=environment, check=check, capture_output=True, text=True)


def start(arguments):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(arguments, env=environment, stderr=subprocess.PIPE, text=True)


def losses(folder):
    with (folder / "losses.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def wait_for_checkpoint(data, output):
    folder = data / f"{output}-checkpoints"
    end = time.monotonic() + 30
    while not list(folder.glob("[!.]*.safetensors")):
        assert time.monotonic() < end, "no checkpoint appeared"
        time.sleep(0.002)


@pytest.mark.parametrize(
    ("model", "how"),
    [(UNET, signal.SIGKILL), (UNET, signal.SIGTERM), (SIMKO, signal.SIGKILL)],
    ids=["unet-SIGKILL", "unet-SIGTERM", "simko-SIGKILL"],
)
def test_a_killed_training_ends_in_the_weights_of_one_that_was_not(data, model, how):
    run(command(data, model, "whole"))
    killed = start(command(data, model, "killed"))
    wait_for_checkpoint(data, "killed")
    time.sleep(0.05)
    killed.send_signal(how)
    _, said = killed.communicate()
    assert killed.returncode == (128 + how if how == signal.SIGTERM else -how), said
    assert not (data / "killed").exists()

    resumed = run(command(data, model, "killed"))
    assert "resumed at step" in resumed.stderr
    for name in ("model", "discriminator")[: 1 if model is UNET else 2]:
        whole, killed = (load_file(data / x / f"{name}.safetensors") for x in ("whole", "killed"))
        assert all(torch.equal(whole[key], killed[key]) for key in whole)
    assert losses(data / "whole") == losses(data / "killed")


def test_a_finished_checkpoint_is_taken_as_it_is_and_changed_settings_are_not(data):
    first = run(command(data, UNET, "model"))
    assert "resumed" not in first.stderr
    again = run(command(data, UNET, "model"))
    assert "resumed at step 60" in again.stderr
    changed = run(command(data, {**UNET, "learning_rate": 5.0e-3}, "model"))
    assert "resumed" not in changed.stderr
    image = data / "slices" / "sub-01" / "images.npy"
    np.save(image, np.load(image) * 2)
    assert "resumed" not in run(command(data, UNET, "model")).stderr


def test_the_losses_fall_and_the_best_weights_are_kept(data):
    run(command(data, UNET, "model"))
    table = pd.DataFrame(losses(data / "model")).astype({"value": float, "step": int})
    loss = table[table.name == "loss"].value.to_numpy()
    assert loss[-1] < loss[0] / 2
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
    whole = run(command(data, UNET, "whole"))
    for file in (data / "slices" / "sub-04").iterdir():
        file.unlink()
    blind = run(command(data, UNET, "blind"))
    assert whole.returncode == blind.returncode == 0
    whole, blind = (load_file(data / x / "model.safetensors") for x in ("whole", "blind"))
    assert all(torch.equal(whole[key], blind[key]) for key in whole)


def test_without_validation_patients_the_last_weights_are_kept(data):
    table = pd.read_csv(data / "split.csv")
    table[table.split != "validation"].to_csv(data / "fewer.csv", index=False)
    run(command(data, {**UNET, "steps": 5}, "model", splits="fewer.csv"))
    card = read_card(data / "model")
    assert card["weights"] == "last step, as no patient is for validation"
    assert card["metrics"] == {"validation_mse": None}


def test_simko_logs_the_accuracies_of_its_stages(data):
    run(command(data, SIMKO, "model"))
    table = pd.DataFrame(losses(data / "model"))
    named = table.groupby("phase").name.agg(set)
    assert named["identity"] == {"g_loss"}
    assert named["real_contrasts"] == {"d_loss", "d_real_accuracy"}
    accuracies = {"d_real_accuracy", "d_fake_accuracy", "gan_accuracy"}
    assert named["adversarial"] == accuracies | {"d_loss", "gan_loss", "validation_mse"}


@pytest.mark.parametrize("model", [UNET, SIMKO], ids=["unet", "simko"])
def test_predictions_are_of_the_test_patients_from_every_contrast_to_every_other(data, model):
    steps = {"steps": 5, "identity_steps": 5, "real_steps": 5, "adversarial_steps": 5}
    run(command(data, {**model, **{k: v for k, v in steps.items() if k in model}}, "model"))
    run([
        sys.executable, "-m", "pipeline_lib.stages.predict",
        "--slices", *(str(data / "slices" / patient) for patient in SPLITS),
        "--split", str(data / "split.csv"), "--fold", "0", "--model", str(data / "model"),
        "--output", str(data / "predict"), "--options", "{}",
    ])  # fmt: skip
    predictions = np.load(data / "predict" / "predictions.npy")
    count = len(CONTRASTS)
    assert predictions.shape == (SLICES, count, count, SIZE, SIZE)
    assert predictions.dtype == np.float16
    index = pd.read_csv(data / "predict" / "index.csv")
    assert list(index.patient) == ["sub-04"] * SLICES
    assert list(index["slice"]) == list(range(SLICES))
    said = json.loads((data / "predict" / "predictions.json").read_text())
    assert said == {"contrasts": list(CONTRASTS), "system": model["system"]}

    trained = load_model(data / "model")
    images = torch.from_numpy(np.load(data / "slices" / "sub-04" / "images.npy"))
    pdw, t2w = CONTRASTS["PDw"], CONTRASTS["T2w"]
    with torch.no_grad():
        expected = trained.predict(images[:, :1], pdw, t2w)[:, 0]
        maps = trained.maps(images[:, :1], pdw)
    np.testing.assert_allclose(predictions[:, 0, 1], expected, atol=2e-3)
    if maps is None:
        assert not (data / "predict" / "maps.npy").exists()
    else:
        written = np.load(data / "predict" / "maps.npy")
        assert written.shape == (SLICES, count, 3, SIZE, SIZE) and written.dtype == np.float16
        np.testing.assert_allclose(written[:, 0], maps, rtol=2e-3, atol=1e-4)


def test_a_bad_setting_is_one_sentence(data):
    for change, sentence in (
        ({"loss": "mae"}, "Error: loss is l1 or l2, not 'mae'"),
        ({"learning_rate": 1.0e30}, "train with a lower learning_rate"),
    ):
        done = run(command(data, {**UNET, **change}, "model"), check=False)
        assert done.returncode == 1
        assert sentence in done.stderr and "Traceback" not in done.stderr
        assert not (data / "model").exists()
