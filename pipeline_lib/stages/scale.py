"""Set the one intensity scale of a patient."""

from pathlib import Path

from pipeline_lib.errors import InputError
from pipeline_lib.files import folder_written_whole, write_json
from pipeline_lib.imaging.scale import ScaleSettings, patient_scale
from pipeline_lib.imaging.scans import read_label_map, read_volume
from pipeline_lib.stages.command import run_stage, stage_parser


def main() -> None:
    """Read the reference scans of all sessions of a patient, and write its scale."""
    parser = stage_parser(__doc__)
    parser.add_argument("--registered", type=Path, nargs="+", required=True)
    parser.add_argument("--segmented", type=Path, nargs="+", required=True)
    parser.add_argument("--patient", required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    reference = arguments.options["reference"]
    settings = ScaleSettings(**arguments.options["scale"])
    sessions = (
        (
            read_volume(registered / f"{reference}.nii.gz")[0],
            read_label_map(segmented / "body.nii.gz")[0],
        )
        for registered, segmented in zip(arguments.registered, arguments.segmented, strict=True)
    )
    try:
        scale = patient_scale(sessions, settings)
    except InputError as error:
        raise InputError(f"{arguments.patient}: {error}") from None
    with folder_written_whole(arguments.output) as folder:
        write_json(
            folder / "scale.json",
            {"scale": scale, "percentile": settings.percentile, "contrast": reference},
        )


if __name__ == "__main__":
    run_stage(main)
