"""A trained model as a folder: weights in safetensors, and a JSON card that says what they are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from pipeline_lib.files import folder_written_whole, read_json, write_json

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
