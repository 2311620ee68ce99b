"""Keep how a session was prepared: how even its tissues are, its registration, its pictures."""

import shutil
from pathlib import Path

import pandas as pd

from pipeline_lib.files import folder_written_whole, read_json
from pipeline_lib.imaging.pictures import pictured
from pipeline_lib.imaging.quality_pictures import save_bias_picture
from pipeline_lib.imaging.scans import read_label_map, read_scan, read_volume
from pipeline_lib.imaging.tissue_quality import Evenness, carried_labels, evenness
from pipeline_lib.imaging.transforms import read_itk_affine
from pipeline_lib.stages.command import run_stage, stage_parser

REGISTRATION = "registration.json"
COLUMNS = ("contrast", *Evenness._fields)


def main() -> None:
    """Carry the tissues of a session to each scan's own grid, compare, and copy what is small."""
    parser = stage_parser(__doc__)
    parser.add_argument("--scans", type=Path, nargs="+", required=True, help="by contrast")
    parser.add_argument("--corrected", type=Path, required=True)
    parser.add_argument("--registered", type=Path, required=True)
    parser.add_argument("--segmented", type=Path, required=True)
    parser.add_argument("--session", required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()

    labels, affine = read_label_map(arguments.segmented / "tissues.nii.gz")
    names = {int(k): name for k, name in read_json(arguments.segmented / "tissues.json").items()}
    rows, pictures = [], {}
    drawn = pictured(arguments.options["contrasts"])
    for contrast, path in zip(arguments.options["contrasts"], arguments.scans, strict=True):
        raw, own = read_scan(path)
        corrected, _ = read_scan(arguments.corrected / f"{contrast}.nii.gz")
        # Of a SyN registration this is the affine part, which is near enough for whole tissues.
        transform = read_itk_affine(arguments.registered / f"{contrast}_transform.txt")
        carried = carried_labels(labels, affine, transform, own, raw.shape)
        rows += [(contrast, *row) for row in evenness(raw, corrected, carried, names)]
        if contrast in drawn:
            field, _ = read_volume(arguments.corrected / f"{contrast}_field.nii.gz")
            body, _ = read_label_map(arguments.corrected / f"{contrast}_mask.nii.gz")
            pictures[contrast] = (raw, corrected, field, body, own)
    with folder_written_whole(arguments.output) as folder:
        pd.DataFrame(rows, columns=COLUMNS).to_csv(folder / "bias.csv", index=False)
        save_bias_picture(folder / "correct_bias.png", pictures)
        # Volumes may be temporary; what the report and the evaluation read of them may not.
        shutil.copyfile(arguments.registered / REGISTRATION, folder / REGISTRATION)
        shutil.copyfile(arguments.registered / "quality.png", folder / "register.png")
        shutil.copyfile(arguments.segmented / "quality.png", folder / "segment.png")


if __name__ == "__main__":
    run_stage(main)
