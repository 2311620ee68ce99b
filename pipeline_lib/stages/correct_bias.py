"""Correct the scans of a session for the bias field, with N4 on an explicit body mask."""

import importlib.metadata
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.files import folder_written_whole, read_json, write_json
from pipeline_lib.imaging.bias import BiasSettings, n4_log_field, shared_log_fields
from pipeline_lib.imaging.masks import body_mask
from pipeline_lib.imaging.scans import read_scan, same_grid, spacing_of, write_scan
from pipeline_lib.stages.command import run_stage, stage_parser


class Shaded(NamedTuple):
    """A scan [x, y, z], its affine, its body mask, and the logarithm of its bias field."""

    image: np.ndarray
    affine: np.ndarray
    mask: np.ndarray
    log_field: np.ndarray


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
    checked = read_json(arguments.checked / "scans.json")
    unchecked = [name for name in names if name not in checked]
    if unchecked:
        raise InputError(
            f"{arguments.checked} lacks {', '.join(unchecked)}; run check_scans again."
        )

    scans: Iterable[Shaded]
    if settings.activate:
        scans = measured(arguments.scans, settings)
    else:
        scans = unshaded(arguments.scans, names.index(arguments.options["reference"]))

    with folder_written_whole(arguments.output) as folder:
        found = {}
        for name, path, scan in zip(names, arguments.scans, scans, strict=True):
            image, affine, mask, log_field = scan
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


def measured(paths: Sequence[Path], settings: BiasSettings) -> list[Shaded]:
    """Read scans and find their fields, or the one that they share, with N4."""
    scans = []
    for path in paths:
        image, affine = read_scan(path)
        mask = mask_of(path, image, affine)
        try:
            scans.append(Shaded(image, affine, mask, n4_log_field(image, affine, mask, settings)))
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
    if settings.field == "per_scan":
        return scans
    shared = shared_log_fields(
        [scan.log_field for scan in scans],
        [scan.affine for scan in scans],
        [scan.mask for scan in scans],
    )
    return [scan._replace(log_field=field) for scan, field in zip(scans, shared, strict=True)]


def unshaded(paths: Sequence[Path], reference: int) -> Iterator[Shaded]:
    """Read scans one after the other, with a field of 1.

    Those on the reference's grid take its mask, as a contrast in which most tissues are dark (a
    spin echo after a second) shows no body of its own.
    """
    image, grid = read_scan(paths[reference])
    body = mask_of(paths[reference], image, grid)
    for path in paths:
        image, affine = read_scan(path)
        alike = same_grid(image.shape, affine, body.shape, grid)
        mask = body if alike else mask_of(path, image, affine)
        yield Shaded(image, affine, mask, np.zeros_like(image))


def mask_of(path: Path, image: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Find the body in a scan; a problem is told with its path."""
    try:
        return body_mask(image, spacing_of(affine))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


if __name__ == "__main__":
    run_stage(main)
