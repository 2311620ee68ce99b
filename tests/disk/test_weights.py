from pathlib import Path

import pytest
import torch
import yaml

from pipeline_lib.disk.weights import checkpoint_bytes, weight_bytes
from pipeline_lib.models.patch_discriminator import MultiScaleDiscriminator
from pipeline_lib.models.simko_discriminator import DiscriminatorSettings, SimkoDiscriminator
from pipeline_lib.models.simko_regressor import SimkoRegressor
from pipeline_lib.training.settings import settings_of
from pipeline_lib.training.systems import build_model

SCALES = yaml.safe_load(
    (Path(__file__).parents[2] / "config/scales.yaml").read_text(encoding="utf-8")
)
CONTRASTS = 5
# What a user may change of each system, besides its scale.
OTHERS = {
    "unet": {"channels": [16, 32, 48], "pixel_block": 1, "embedding": 200},
    "paramnet": {"autoencoder_channels": [32, 32, 64, 128, 256, 256, 256]},
    "crl_code": {"blocks": 2, "channels": 64},
    "ptnet": {"channels": 64, "width": 32, "layers": 1, "discriminator_scales": 1},
}
MODELS = [
    (scale, system, changes)
    for scale, systems in SCALES.items()
    for system in systems
    if system != "every_system"
    for changes in ([{}, OTHERS[system]] if system in OTHERS else [{}])
]


def judges(model, network):
    if "discriminator_scales" in model:
        images, scales = 2 + 2 * network.neighbours, model["discriminator_scales"]
        return [MultiScaleDiscriminator(images, model["discriminator_channels"], scales)]
    if "discriminator" in model:
        settings = settings_of(DiscriminatorSettings, model)
        if model["discriminator"] == "regressing":
            return [SimkoRegressor(settings)]
        return [SimkoDiscriminator(settings, CONTRASTS)]
    return []


@pytest.mark.parametrize(("scale", "system", "changes"), MODELS)
def test_the_weights_of_every_system_are_counted_to_a_tenth(scale, system, changes):
    of_all = SCALES[scale]["every_system"]
    model = {"system": system, **of_all, **SCALES[scale][system], **changes}
    with torch.device("meta"):
        network = build_model(system, model, ["a", "b", "c"])
        networks = [network, *judges(model, network)]
    stored = sum(
        value.numel() * value.element_size()
        for each in networks
        for value in each.state_dict().values()
    )
    assert weight_bytes(model, CONTRASTS) == pytest.approx(stored, rel=0.1)


def test_a_checkpoint_holds_the_best_and_the_averaged_weights_where_there_are_any():
    model = {"system": "alkan", "channels": 8, "layers": 3, "tissue_masks": False, "average": 0.0}
    weights = weight_bytes(model, 2)
    assert checkpoint_bytes(model, 2, validated=False) == 3 * weights
    assert checkpoint_bytes(model | {"average": 0.999}, 2, validated=True) == 5 * weights
