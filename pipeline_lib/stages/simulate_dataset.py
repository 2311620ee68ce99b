"""Write what BIDS wants beside the patients of a virtual dataset."""

import csv
from pathlib import Path

from pipeline_lib.files import write_json, written_whole
from pipeline_lib.stages.command import run_stage, stage_parser


def main() -> None:
    """Write the description of the dataset and its table of participants."""
    parser = stage_parser(__doc__)
    parser.add_argument("--patients", nargs="+", required=True, help="names of all patients")
    parser.add_argument("--output-description", type=Path, required=True)
    parser.add_argument("--output-participants", type=Path, required=True)
    arguments = parser.parse_args()
    options = arguments.options
    virtual = options["virtual"]
    write_json(
        arguments.output_description,
        {
            "Name": f"Virtual patients of Recontrast: {options['dataset']}",
            "BIDSVersion": "1.10.0",
            "DatasetType": "raw",
            "License": "CC0",
            "GeneratedBy": [{"Name": "Recontrast", "Description": f"seed {options['seed']}"}],
        },
    )
    with (
        written_whole(arguments.output_participants) as path,
        path.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(["participant_id", "anatomy", "field_strength"])
        table.writerows(
            [patient, virtual["anatomy"], virtual["field_strength"]]
            for patient in arguments.patients
        )


if __name__ == "__main__":
    run_stage(main)
