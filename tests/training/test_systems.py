"""Every system of config/scales.yaml: trained by its stage, killed, resumed, loaded, predicting."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from pipeline_lib.slices.selection import Channels
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.training import job
from pipeline_lib.training.card import read_card
from pipeline_lib.training.preflight import Preflight
from pipeline_lib.training.systems import load_model
from tests.training.steps import Killed, die_at
from tests.training.stores import CONTRASTS, SIZE, SLICES
from tests.training.systems import (
    SYSTEMS,
    arguments,
    family,
    losses,
    make_data,
    pairs_of,
    predict_arguments,
    run_here,
    tiny,
)

EVERY = pytest.mark.parametrize("system", SYSTEMS)
# Within each phase, and never where a line is logged or a validation made.
KILLED_AT = {"simko": (11, 32, 36), "paramnet": (2, 16), "resvit": (2, 11)}
# The loss that is to fall, of which phase.
MAIN_LOSS = {
    "simko": ("identity", "g_loss"),
    "paramnet": ("parameters", "loss"),
    "pgan": ("adversarial", "l1"),
    "ptnet": ("adversarial", "l2"),
    "resvit": ("transforming", "l1"),
}
NETWORKS = {name: ["discriminator", "model"] for name in ("simko", "pgan", "ptnet", "resvit")}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("systems"))


def whole(system):
    """Settings of the training that is not killed, which has no use for checkpoints."""
    return tiny(system, checkpoint_seconds=1000.0)


@pytest.fixture
def trained(data, system):
    """Folder of the system's model, which is trained once."""
    if not (data / system).exists():
        run_here(arguments(data, whole(system), system))
    return data / system


@EVERY
def test_a_training_that_is_killed_in_each_phase_ends_in_the_weights_of_one_that_was_not(
    data, trained, system, monkeypatch, caplog
):
    deaths = KILLED_AT.get(family(system), (11,))
    die_at(deaths, monkeypatch)
    # Half of the time of a training this small, and no part of what is resumed.
    monkeypatch.setattr(job, "preflight", lambda *_: Preflight({}, 0.0, 0.0))
    command = arguments(data, tiny(system), f"{system}-killed")
    for _ in deaths:
        with pytest.raises(Killed):
            run_here(command)
    assert not (data / f"{system}-killed").exists()
    with caplog.at_level("INFO"):
        run_here(command)
    assert f"resumed at step {deaths[-1]} " in caplog.text
    killed = data / f"{system}-killed"
    for file in sorted(path.name for path in trained.glob("*.safetensors")):
        assert_same_tensors(trained / file, killed / file)
    (whole_end,), (killed_end,) = (
        [*(data / f"{name}-checkpoints").glob("*.safetensors")] for name in (system, killed.name)
    )
    assert_same_tensors(whole_end, killed_end)
    pd.testing.assert_frame_equal(losses(trained), losses(killed), check_exact=True)


def assert_same_tensors(first, second):
    first, second = load_file(first), load_file(second)
    assert first.keys() == second.keys()
    assert [key for key in first if not torch.equal(first[key], second[key])] == []


@EVERY
def test_a_trained_model_is_a_folder_that_says_what_it_is(trained, system):
    networks = NETWORKS.get(family(system), ["model"])
    expected = {"card.json", "losses.csv", *(f"{name}.safetensors" for name in networks)}
    assert {path.name for path in trained.iterdir()} == expected
    card, settings = read_card(trained), whole(system)
    assert card["system"] == system and card["code"] == "digest"
    assert card["pairs"] == pairs_of(system)
    assert card["settings"] == {k: v for k, v in settings.items() if k not in ("name", "system")}
    assert list(card["parameters"]) == sorted(networks, reverse=True)
    assert card["gflop_per_step"] > 0
    assert card["weights"].endswith("the best by validation")
    said = losses(trained)
    found = said[said.name == "validation_mse"]
    assert card["metrics"]["validation_mse"] == found.value.min()
    assert set(found.phase) == {said.phase.iloc[-1]}  # what comes before has other aims
    assert card["steps"] == said.step.max()


@EVERY
def test_a_trained_model_is_loaded_in_one_call_with_its_weights(trained, system):
    model = load_model(trained)
    assert not model.training
    for name, tensor in load_file(trained / "model.safetensors").items():
        assert torch.equal(model.state_dict()[name], tensor)
    card = read_card(trained)
    assert sum(weight.numel() for weight in model.parameters()) == card["parameters"]["model"]


@EVERY
def test_predictions_are_of_the_cards_pairs_and_the_models(data, trained, system):
    run_here(predict_arguments(data, system, f"{system}-predicted"))
    output = data / f"{system}-predicted"
    predictions = np.load(output / "predictions.npy")
    pairs = pairs_of(system)
    assert predictions.shape == (SLICES, len(pairs), SIZE, SIZE)
    assert predictions.dtype == np.float16
    said = json.loads((output / "predictions.json").read_text())
    sources = list(CONTRASTS) if family(system) == "simko" else []
    assert said == {
        "contrasts": list(CONTRASTS), "pairs": pairs, "map_sources": sources, "system": system,
    }  # fmt: skip
    index = pd.read_csv(output / "index.csv")
    assert list(index.patient) == ["sub-04"] * SLICES and list(index["slice"]) == [0, 1, 2, 3]

    model = load_model(trained)
    store = PatientSlices.open(data / "slices" / "sub-04")
    channels, names = Channels(model.neighbours, model.tissues), list(CONTRASTS)
    for place, (source, target) in enumerate(pairs):
        images = torch.from_numpy(channels.read_all(store, range(SLICES), names.index(source)))
        with torch.no_grad():
            expected = model.predict(images, CONTRASTS[source], CONTRASTS[target])[:, 0]
            maps = model.maps(images, CONTRASTS[source])
        np.testing.assert_allclose(predictions[:, place], expected, atol=2e-3)
        assert (maps is not None) == bool(sources)
        if maps is not None:
            written = np.load(output / "maps.npy")[:, names.index(source)]
            np.testing.assert_allclose(written, maps, rtol=2e-3, atol=1e-4)


@EVERY
def test_the_loss_falls(trained, system):
    phase, name = MAIN_LOSS.get(family(system), ("descent", "loss"))
    said = losses(trained)
    values = said[(said.phase == phase) & (said.name == name)].value.to_numpy()
    assert len(values) >= 3
    assert values[-1] < 0.75 * values[0]
