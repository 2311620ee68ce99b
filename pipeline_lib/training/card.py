"""A trained model as a folder: weights in safetensors, and a JSON card that says what they are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipeline_lib.errors import InputError
from pipeline_lib.files import folder_written_whole, read_json, write_json
from pipeline_lib.models.interface import TransferModel
from pipeline_lib.training.systems import build_model

CARD = "card.json"


def write_model(
    folder: Path,
    weights: Mapping[str, Mapping[str, Tensor]],
    card: Mapping[str, Any],
    losses: Path,
) -> None:
    """Write a model's folder, whole or not at all.

    Parameters
    ----------
    folder
        Gets `<network>.safetensors` of each network (the model itself is `model`), `card.json` and
        `losses.csv`.
    weights
        Tensors of each network, by name.
    card
        What `load_model` reads (`system`, `settings`, `tissues`) and whatever else is worth
        knowing.
    losses
        The table of losses to copy.
    """
    with folder_written_whole(folder) as temporary:
        for name, tensors in weights.items():
            contiguous = {key: tensor.cpu().contiguous() for key, tensor in tensors.items()}
            save_file(contiguous, temporary / f"{name}.safetensors")
        write_json(temporary / CARD, card)
        (temporary / "losses.csv").write_bytes(losses.read_bytes())


def read_card(folder: str | Path) -> dict[str, Any]:
    """Read what a model's folder says of it."""
    return read_json(Path(folder) / CARD)


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
