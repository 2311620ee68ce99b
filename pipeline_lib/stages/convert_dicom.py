"""Convert a patient's DICOM folder to the scans of the configured contrasts."""

import logging
from pathlib import Path

from pipeline_lib.imaging.dicom import convert_patient
from pipeline_lib.stages.command import run_stage, stage_parser


def main() -> None:
    """Convert one patient."""
    parser = stage_parser(__doc__)
    parser.add_argument("--source", type=Path, required=True, help="folder of DICOM files")
    parser.add_argument("--patient", required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder to make")
    arguments = parser.parse_args()

    chosen = convert_patient(
        arguments.source, arguments.patient, arguments.options["contrasts"], arguments.output
    )
    for contrast, series in chosen.items():
        logging.info("%s: %s", contrast, series)


if __name__ == "__main__":
    run_stage(main)
