"""Register the corrected scans of a session to its reference contrast, with ANTs."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.files import folder_written_whole, read_json, write_json
from pipeline_lib.imaging.pictures import pictured, save_registration_picture
from pipeline_lib.imaging.registration import (
    RegisterSettings,
    Scan,
    Transform,
    moved_points,
    register,
    registration_seed,
    resampled,
)
from pipeline_lib.imaging.residual import (
    Residual,
    estimated_residual,
    simulated_residual,
    true_motion,
)
from pipeline_lib.imaging.scans import read_label_map, read_scan, write_scan
from pipeline_lib.imaging.transforms import mask_points, write_itk_affine
from pipeline_lib.stages.command import run_stage, stage_parser


def main() -> None:
    """Register one session."""
    parser = stage_parser(__doc__)
    parser.add_argument("--corrected", type=Path, required=True, help="what correct_bias wrote")
    parser.add_argument("--truth", type=Path, help="truth of a virtual patient")
    parser.add_argument("--session", required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    options = arguments.options
    settings = RegisterSettings(**options["register"])
    name = options["reference"]
    truth = None
    if arguments.truth:
        truth = read_json(arguments.truth / f"{arguments.session}_truth.json")
    reference = read_corrected(arguments.corrected, name)

    with folder_written_whole(arguments.output) as folder:
        write_scan(folder / f"{name}.nii.gz", reference.image, reference.affine)
        write_itk_affine(folder / f"{name}_transform.txt", np.eye(4))
        entries: dict[str, Any] = {}
        pairs = {}
        drawn = pictured([other for other in options["contrasts"] if other != name])
        for contrast in options["contrasts"]:
            if contrast == name:
                entries[name] = {"transform": "identity", "residual_mm": 0.0}
                entries[name]["residual_kind"] = "reference"
                continue
            scan = read_corrected(arguments.corrected, contrast)
            seed = registration_seed(options["seed"], arguments.session, contrast)
            motion = None if truth is None else true_motion(truth, contrast, name)
            try:
                found = register(
                    reference, scan, settings, seed, folder / f"{contrast}_warp.nii.gz"
                )
                image = resampled(scan, reference, found)
                residual = residual_of(reference, image, found, motion)
            except InputError as error:
                path = arguments.corrected / f"{contrast}.nii.gz"
                raise InputError(f"{arguments.session}, {path}: {error}") from None
            write_scan(folder / f"{contrast}.nii.gz", image, reference.affine)
            write_itk_affine(folder / f"{contrast}_transform.txt", found.matrix)
            entries[contrast] = {"transform": settings.transform, **residual.to_mapping()}
            note = f"{residual.mean:.2f} mm, {residual.kind}"
            if contrast in drawn:
                before = resampled(scan, reference, Transform(np.eye(4)))
                pairs[contrast] = (before, image, note)
            logging.info("%s to %s: residual %s", contrast, name, note)
        write_json(folder / "registration.json", entries)
        save_registration_picture(
            folder / "quality.png",
            (name, reference.image),
            pairs,
            reference.mask,
            reference.affine,
        )


def read_corrected(folder: Path, contrast: str) -> Scan:
    """Read a corrected scan and its body mask."""
    image, affine = read_scan(folder / f"{contrast}.nii.gz")
    mask, _ = read_label_map(folder / f"{contrast}_mask.nii.gz")
    return Scan(image, affine, mask > 0)


def residual_of(
    reference: Scan, registered: np.ndarray, found: Transform, motion: np.ndarray | None
) -> Residual:
    """Compare a transform with the simulated motion where it is known, else estimate."""
    if motion is None:
        return estimated_residual(reference.image, registered, reference.mask, reference.affine)
    points = moved_points(found, mask_points(reference.mask, reference.affine))
    return simulated_residual(points, reference.mask, reference.affine, motion)


if __name__ == "__main__":
    run_stage(main)
