"""Write what makes the maps of a dataset's patients one BIDS derivative."""

from pathlib import Path

from pipeline_lib.quantify.derivatives import write_description
from pipeline_lib.stages.command import run_stage, stage_parser


def main() -> None:
    """Write the description of the dataset, and what in it BIDS has no name for."""
    parser = stage_parser(__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder of all patients' maps")
    arguments = parser.parse_args()
    write_description(arguments.output, f"Fitted maps of {arguments.options['dataset']}")


if __name__ == "__main__":
    run_stage(main)
