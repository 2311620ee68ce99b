"""Write what BIDS wants beside the patients of a virtual dataset."""

from pathlib import Path

from pipeline_lib.files import read_json
from pipeline_lib.phantom.descriptions import write_descriptions, write_participants
from pipeline_lib.stages.command import run_stage, stage_parser


def main() -> None:
    """Write the descriptions of the dataset and of its truth, and the table of participants."""
    parser = stage_parser(__doc__)
    parser.add_argument("--patients", type=Path, required=True, help="what the rule patients wrote")
    parser.add_argument("--output-description", type=Path, required=True)
    parser.add_argument("--output-truth-description", type=Path, required=True)
    parser.add_argument("--output-participants", type=Path, required=True)
    arguments = parser.parse_args()
    write_descriptions(
        arguments.options, arguments.output_description, arguments.output_truth_description
    )
    write_participants(
        arguments.options, list(read_json(arguments.patients)), arguments.output_participants
    )


if __name__ == "__main__":
    run_stage(main)
