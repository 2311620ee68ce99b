"""Correct the scans of a session for the bias field, with N4 on an explicit body mask."""

import importlib.metadata
import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.files import folder_written_whole, read_json, write_json
from pipeline_lib.imaging.bias import BiasSettings, n4_log_field, shared_log_fields
from pipeline_lib.imaging.masks import body_mask
from pipeline_lib.imaging.scans import read_scan, spacing_of, write_scan
from pipeline_lib.stages.command import run_stage, stage_parser


def main() -> None:
    """Correct one session."""
    parser = stage_parser(__doc__)
    parser.add_argument(
        "--scans", type=Path, nargs="+", required=True, help="one a contrast, in their order"
    )
    parser.add_argument("--checked", type=Path, required=True, help="what check_scans wrote")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    settings = BiasSettings(**arguments.options["correct_bias"])
    names = list(arguments.options["contrasts"])
    unchecked = [name for name in names if name not in read_json(arguments.checked)]
    if unchecked:
        raise InputError(
            f"{arguments.checked} lacks {', '.join(unchecked)}; run check_scans again."
        )

    scans, masks, fields = [], [], []
    for path in arguments.scans:
        image, affine = read_scan(path)
        try:
            mask = body_mask(image, spacing_of(affine))
            fields.append(n4_log_field(image, affine, mask, settings))
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        scans.append((image, affine))
        masks.append(mask)
    if settings.field == "shared":
        fields = shared_log_fields(fields, [affine for _, affine in scans], masks)

    with folder_written_whole(arguments.output) as folder:
        found = {}
        for name, path, (image, affine), mask, log_field in zip(
            names, arguments.scans, scans, masks, fields, strict=True
        ):
            field = np.exp(log_field)
            write_scan(folder / f"{name}.nii.gz", image / field, affine)
            write_scan(folder / f"{name}_field.nii.gz", field, affine)
            write_scan(folder / f"{name}_mask.nii.gz", mask, affine, dtype=np.uint8)
            low, high = np.percentile(field[mask], [1, 99])
            found[name] = {
                "scan": str(path),
                "body_ml": float(mask.sum() * np.prod(spacing_of(affine)) / 1000),
                "field_p1": float(low),
                "field_p99": float(high),
            }
            logging.info("%s: field from %.3f to %.3f (1st, 99th percentile)", name, low, high)
        write_json(
            folder / "settings.json",
            {
                "n4": {**asdict(settings), "antspyx": importlib.metadata.version("antspyx")},
                "contrasts": found,
            },
        )


if __name__ == "__main__":
    run_stage(main)
