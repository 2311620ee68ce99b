"""Simulate one virtual patient: its raw scans in BIDS, and the truth about it."""

from pathlib import Path

from pipeline_lib.phantom.dataset import VirtualDataset, write_patient
from pipeline_lib.stages.command import run_stage, stage_parser


def main() -> None:
    """Draw a patient, measure it, and write scans and truth."""
    parser = stage_parser(__doc__)
    parser.add_argument("--patient", required=True, help="name of the patient, sub-001")
    parser.add_argument("--output", type=Path, required=True, help="folder of the raw scans")
    parser.add_argument("--output-truth", type=Path, required=True, help="folder of the truth")
    arguments = parser.parse_args()
    dataset = VirtualDataset.from_options(arguments.options)
    write_patient(dataset, arguments.patient, arguments.output, arguments.output_truth)


if __name__ == "__main__":
    run_stage(main)
