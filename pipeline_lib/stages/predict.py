"""Predict pairs of contrasts with a trained model: of the patients of a fold that are tested."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline_lib.errors import InputError
from pipeline_lib.slices.selection import Channels
from pipeline_lib.slices.store import opened
from pipeline_lib.stages.command import run_stage, stage_parser
from pipeline_lib.training.card import read_card
from pipeline_lib.training.job import folders_by_split
from pipeline_lib.training.machine import this_machine
from pipeline_lib.training.prediction import predict_patients
from pipeline_lib.training.systems import load_model


def main() -> None:
    """Predict for one model and fold."""
    parser = stage_parser(__doc__)
    parser.add_argument(
        "--slices", type=Path, nargs="+", required=True, help="all patients' slices"
    )
    parser.add_argument("--split", type=Path, required=True, help="table of the patient split")
    parser.add_argument("--fold", type=int, required=True, help="which fold of the split")
    parser.add_argument("--model", type=Path, required=True, help="folder of the trained model")
    parser.add_argument("--output", type=Path, required=True, help="folder of the predictions")
    parser.add_argument(
        "--external", type=Path, nargs="+", help="patients of another dataset to predict instead"
    )
    arguments = parser.parse_args()
    parts = folders_by_split(arguments.slices, arguments.split, arguments.fold)
    folders = arguments.external or parts["test"] + parts["seen"]
    model, card = load_model(arguments.model), read_card(arguments.model)
    pairs = pairs_to_predict(card, arguments.options.get("pairs"))
    predict_patients(
        model,
        opened(folders),
        Channels(model.neighbours, model.tissues),
        pairs,
        this_machine(card["settings"]["precision"]),
        card["system"],
        arguments.output,
    )


def pairs_to_predict(
    card: Mapping[str, Any], asked: list[list[str]] | None
) -> list[tuple[str, str]]:
    """Give the pairs that were asked for, or else those that the model was trained to transfer.

    Raises
    ------
    InputError
        If the model learnt one pair of contrasts and is asked for others.
    """
    own = [(source, target) for source, target in card["pairs"]]
    pairs = [(source, target) for source, target in asked] if asked else own
    others = [pair for pair in pairs if pair not in own]
    if others and card["one_pair"]:
        raise InputError(
            f"{card['name']} learnt {' to '.join(own[0])} alone and can't predict "
            f"{' to '.join(others[0])}; ask a model that is told the sequences."
        )
    return pairs


if __name__ == "__main__":
    run_stage(main)
