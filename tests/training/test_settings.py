from dataclasses import fields

import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.models.alkan import AlkanSettings
from pipeline_lib.models.crl import CrlSettings
from pipeline_lib.models.paramnet import ParamNetSettings
from pipeline_lib.models.pgan import PganSettings
from pipeline_lib.models.ptnet import PtNetSettings
from pipeline_lib.models.resvit import ResVitSettings
from pipeline_lib.models.simko import SimkoSettings
from pipeline_lib.models.simko_discriminator import DiscriminatorSettings
from pipeline_lib.models.unet import UNetSettings
from pipeline_lib.training.alkan import AlkanTrainingSettings
from pipeline_lib.training.conditional_gan import ConditionalGanSettings
from pipeline_lib.training.crl import CrlTrainingSettings
from pipeline_lib.training.paramnet import ParamNetTrainingSettings
from pipeline_lib.training.processes import Processes
from pipeline_lib.training.regression import RegressionSettings
from pipeline_lib.training.resvit import ResVitTrainingSettings
from pipeline_lib.training.settings import LoopSettings, settings_of
from pipeline_lib.training.simko import SimkoTrainingSettings
from tests.training.systems import SCALES, SYSTEMS, family, preset, tiny

PARTS = {
    "unet": (UNetSettings, RegressionSettings),
    "simko": (SimkoSettings, DiscriminatorSettings, SimkoTrainingSettings),
    "alkan": (AlkanSettings, AlkanTrainingSettings),
    "crl": (CrlSettings, CrlTrainingSettings),
    "paramnet": (ParamNetSettings, ParamNetTrainingSettings),
    "pgan": (PganSettings, ConditionalGanSettings),
    "resvit": (ResVitSettings, ResVitTrainingSettings, ConditionalGanSettings),
    "ptnet": (PtNetSettings, ConditionalGanSettings),
}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("system", SYSTEMS)
def test_every_preset_holds_what_its_system_reads_and_nothing_else(scale, system):
    settings, parts = preset(scale, system), (*PARTS[family(system)], LoopSettings)
    read = {field.name for part in parts for field in fields(part)}
    assert set(settings) == read
    for part in parts:
        settings_of(part, settings)


@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_has_the_same_systems(scale):
    assert [name for name in SCALES[scale] if name != "every_system"] == SYSTEMS


def test_a_missing_setting_is_named():
    with pytest.raises(InputError, match="the model mine lacks the setting channels"):
        settings_of(SimkoSettings, {"name": "mine"})


@pytest.mark.parametrize(
    ("part", "change", "told"),
    [
        (RegressionSettings, {"loss": "mae"}, "loss is l1 or l2, not 'mae'"),
        (ConditionalGanSettings, {"reconstruction": "mae"}, "reconstruction is l1 or l2"),
        (CrlTrainingSettings, {"structure": "some"}, "structure is all or consecutive"),
        (SimkoTrainingSettings, {"discriminator": "x"}, "discriminator is classes or regressing"),
        (LoopSettings, {"batch_size": 6, "accumulate": 4}, "batch_size 6 .* 4 equal parts"),
    ],
)
def test_a_setting_out_of_its_choices_is_one_sentence(part, change, told):
    family_of = next((name for name, parts in PARTS.items() if part in parts), "unet")
    system = next(name for name in SYSTEMS if family(name) == family_of)
    with pytest.raises(InputError, match=told):
        settings_of(part, tiny(system, **change))


@pytest.mark.parametrize(
    ("batch_size", "accumulate", "processes", "shared"),
    [(8, 1, 2, True), (8, 2, 4, True), (8, 4, 4, False), (8, 1, 3, False), (3, 1, 1, True)],
)
def test_a_batch_is_shared_evenly_or_refused(batch_size, accumulate, processes, shared):
    settings = settings_of(LoopSettings, tiny("unet", batch_size=batch_size, accumulate=accumulate))
    if shared:
        settings.check(Processes(0, processes))
        return
    with pytest.raises(InputError, match=f"multiple of {processes * accumulate}"):
        settings.check(Processes(0, processes))
