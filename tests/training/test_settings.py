from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from pipeline_lib.errors import InputError
from pipeline_lib.models.simko import SimkoSettings
from pipeline_lib.models.simko_discriminator import DiscriminatorSettings
from pipeline_lib.models.unet import UNetSettings
from pipeline_lib.training.loop import LoopSettings
from pipeline_lib.training.regression import RegressionSettings
from pipeline_lib.training.settings import settings_of
from pipeline_lib.training.simko import SimkoTrainingSettings

SCALES = yaml.safe_load((Path(__file__).parents[2] / "config/scales.yaml").read_text())
PARTS = {
    "unet": (UNetSettings, RegressionSettings, LoopSettings),
    "simko": (SimkoSettings, DiscriminatorSettings, SimkoTrainingSettings, LoopSettings),
}


@pytest.mark.parametrize("scale", ["smoke", "reduced", "paper"])
@pytest.mark.parametrize("system", PARTS)
def test_every_preset_holds_what_its_system_reads_and_nothing_else(scale, system):
    preset = SCALES[scale][system]
    read = [field.name for part in PARTS[system] for field in fields(part)]
    assert sorted(preset) == sorted(read)
    for part in PARTS[system]:
        made = settings_of(part, preset)
        for field in fields(part):
            assert not isinstance(getattr(made, field.name), str) or field.name in (
                "loss",
                "signal",
            )


def test_a_missing_setting_is_named():
    with pytest.raises(InputError, match="the model mine lacks the setting channels"):
        settings_of(SimkoSettings, {"name": "mine"})
