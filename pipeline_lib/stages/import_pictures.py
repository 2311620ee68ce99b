"""Import one patient's slice from pictures: one slice in several contrasts, 8 bits each."""

from pathlib import Path

from pipeline_lib.imaging.scale import ScaleSettings
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.pictures import picture_slices
from pipeline_lib.stages.command import run_stage, stage_parser


def main() -> None:
    """Read the pictures of a patient and write its slices."""
    parser = stage_parser(__doc__)
    parser.add_argument(
        "--pictures", type=Path, nargs="+", required=True, help="one a contrast, in their order"
    )
    parser.add_argument("--patient", required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder to make")
    arguments = parser.parse_args()
    options = arguments.options
    sequences = {name: Sequence.from_mapping(of) for name, of in options["contrasts"].items()}
    rows, columns = options["slices"]["size"]
    picture_slices(
        patient=arguments.patient,
        pictures=dict(zip(sequences, arguments.pictures, strict=True)),
        sequences=sequences,
        reference=options["reference"],
        size=(rows, columns),
        scale=ScaleSettings(**options["scale"]),
    ).write(arguments.output)


if __name__ == "__main__":
    run_stage(main)
