"""Every system by its name, with fresh weights or with trained ones.

No training imports this: its code would reach every system, and one's change retrain all.
"""

from collections.abc import Callable, Mapping
from collections.abc import Sequence as Listing
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from pipeline_lib.errors import InputError
from pipeline_lib.models.alkan import AlkanNetwork, AlkanSettings
from pipeline_lib.models.crl import CrlNetwork, CrlSettings
from pipeline_lib.models.interface import TransferModel
from pipeline_lib.models.paramnet import ParamNet, ParamNetSettings
from pipeline_lib.models.pgan import PganGenerator, PganSettings
from pipeline_lib.models.ptnet import PtNet, PtNetSettings
from pipeline_lib.models.resvit import ResVitGenerator, ResVitSettings
from pipeline_lib.models.simko import SimkoGenerator, SimkoSettings
from pipeline_lib.models.unet import UNet, UNetSettings
from pipeline_lib.training.card import read_card
from pipeline_lib.training.settings import settings_of

Builder = Callable[[Mapping[str, Any], Listing[str]], TransferModel]

BUILDERS: Mapping[str, Builder] = {
    "alkan": lambda model, tissues: AlkanNetwork(settings_of(AlkanSettings, model), tissues),
    "crl": lambda model, _: CrlNetwork(settings_of(CrlSettings, model)),
    "paramnet": lambda model, _: ParamNet(settings_of(ParamNetSettings, model)),
    "pgan": lambda model, _: PganGenerator(settings_of(PganSettings, model)),
    "ptnet": lambda model, _: PtNet(settings_of(PtNetSettings, model)),
    "resvit": lambda model, _: ResVitGenerator(settings_of(ResVitSettings, model)),
    "simko": lambda model, _: SimkoGenerator(settings_of(SimkoSettings, model)),
    "unet": lambda model, _: UNet(settings_of(UNetSettings, model)),
}


def build_model(
    system: str, settings: Mapping[str, Any], tissues: Listing[str] = ()
) -> TransferModel:
    """Build a system's model, with fresh weights.

    Parameters
    ----------
    system
        As in config/scales.yaml. What follows an underscore names a variant, which is a matter
        of settings (`crl_code` is `crl` with others than `crl_paper`).
    settings
        All settings of the model.
    tissues
        Names of the dataset's tissues.

    Raises
    ------
    InputError
        If there is no such system.
    """
    family = system.partition("_")[0]
    if family not in BUILDERS:
        raise InputError(f"there is no system {system!r}; it is one of {', '.join(BUILDERS)}")
    return BUILDERS[family](settings, tissues)


def load_model(folder: str | Path) -> TransferModel:
    """Load a trained model, on the CPU and ready to predict.

    Raises
    ------
    InputError
        If a file is missing or damaged, or the weights are not of the model that the card names.
    """
    folder = Path(folder)
    card = read_card(folder)
    weights = folder / "model.safetensors"
    try:
        model = build_model(card["system"], card["settings"], card["tissues"])
        model.load_state_dict(load_file(weights))
    except FileNotFoundError:
        raise InputError(f"{weights} is missing; train the model again.") from None
    except (KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise InputError(
            f"{folder} is no model that this version can read ({error}); train it again."
        ) from None
    return model.eval()
