"""Predict the pairs of contrasts that a trained model was made for, of the test patients."""

from pathlib import Path

from pipeline_lib.slices.selection import Channels
from pipeline_lib.slices.store import PatientSlices
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
    arguments = parser.parse_args()
    folders = folders_by_split(arguments.slices, arguments.split, arguments.fold)["test"]
    model, card = load_model(arguments.model), read_card(arguments.model)
    predict_patients(
        model,
        [PatientSlices.open(folder) for folder in folders],
        Channels(model.neighbours, model.tissues),
        [(source, target) for source, target in card["pairs"]],
        this_machine(card["settings"]["precision"]),
        card["system"],
        arguments.output,
    )


if __name__ == "__main__":
    run_stage(main)
