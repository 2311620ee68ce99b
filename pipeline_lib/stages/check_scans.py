"""Read every scan of a session whole, and write down its sequence and grid."""

import logging
from pathlib import Path

from pipeline_lib.errors import InputError
from pipeline_lib.files import folder_written_whole, write_json
from pipeline_lib.imaging.bids import raise_together
from pipeline_lib.imaging.scans import check_scan
from pipeline_lib.stages.command import run_stage, stage_parser


def main() -> None:
    """Check the scans of one session."""
    parser = stage_parser(__doc__)
    parser.add_argument("--session", required=True)
    parser.add_argument(
        "--scans", type=Path, nargs="+", required=True, help="one a contrast, in their order"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()

    contrasts = arguments.options["contrasts"]
    checked = {}
    problems = []
    for (name, contrast), path in zip(contrasts.items(), arguments.scans, strict=True):
        try:
            checked[name] = check_scan(path, contrast)
        except InputError as error:
            problems.append(f"{arguments.session}: {error}")
    raise_together(problems)
    for name, scan in checked.items():
        logging.info(
            "%s %s: %s voxels of %s mm", name, scan["path"], scan["shape"], scan["spacing"]
        )
    with folder_written_whole(arguments.output) as folder:
        write_json(folder / "scans.json", checked)


if __name__ == "__main__":
    run_stage(main)
