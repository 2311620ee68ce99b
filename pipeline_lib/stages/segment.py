"""Find the body and its tissues on the grid of a session's reference scan."""

import argparse
import logging
from pathlib import Path

import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.files import folder_written_whole, write_json
from pipeline_lib.imaging.freesurfer import tissues_of_wmparc
from pipeline_lib.imaging.masks import body_mask
from pipeline_lib.imaging.quality_pictures import save_segmentation_picture
from pipeline_lib.imaging.scans import read_volume, spacing_of, write_scan
from pipeline_lib.imaging.segmentation import (
    SegmentSettings,
    Tissues,
    session_body,
    tissues_of_dseg,
    tissues_of_truth,
)
from pipeline_lib.stages.command import run_stage, stage_parser

log = logging.getLogger(__name__)


def main() -> None:
    """Segment one session."""
    parser = stage_parser(__doc__)
    parser.add_argument("--registered", type=Path, required=True, help="what register wrote")
    parser.add_argument("--truth", type=Path, help="truth of a virtual patient")
    parser.add_argument("--dseg", type=Path, help="segmentation of the BIDS derivatives")
    parser.add_argument("--session", required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    reference = arguments.options["reference"]
    settings = SegmentSettings(**arguments.options["segment"])

    alone = settings.body == "reference" and settings.tissues != "atropos"
    volumes = {
        contrast: read_volume(arguments.registered / f"{contrast}.nii.gz")
        for contrast in ([reference] if alone else arguments.options["contrasts"])
    }
    images = {contrast: image for contrast, (image, _) in volumes.items()}
    affine = volumes[reference][1]
    try:
        if settings.body == "reference":
            body = body_mask(images[reference], spacing_of(affine))
        else:
            body = session_body(images, spacing_of(affine))
        tissues = find_tissues(arguments, settings.tissues, images, affine, body)
    except InputError as error:
        raise InputError(f"{arguments.session}, {arguments.registered}: {error}") from None
    tissues = Tissues(tissues.labels * body, tissues.names)
    with folder_written_whole(arguments.output) as folder:
        write_scan(folder / "body.nii.gz", body, affine, dtype=np.uint8)
        write_scan(folder / "tissues.nii.gz", tissues.labels, affine, dtype=np.uint8)
        write_json(folder / "tissues.json", tissues.names)
        save_segmentation_picture(
            folder / "quality.png", images[reference], body, tissues.labels, tissues.names, affine
        )
    share = {n: int((tissues.labels == label).sum()) for label, n in tissues.names.items()}
    log.info("%s: body of %d voxels, tissues %s", arguments.session, body.sum(), share)


def find_tissues(
    arguments: argparse.Namespace,
    method: str,
    images: dict[str, np.ndarray],
    affine: np.ndarray,
    body: np.ndarray,
) -> Tissues:
    """Take the tissues from where the settings say."""
    options = arguments.options
    if method == "truth":
        return tissues_of_truth(arguments.truth, arguments.session, body.shape)
    if method == "dseg":
        return tissues_of_dseg(arguments.dseg, affine, body.shape)
    if method == "wmparc":
        return tissues_of_wmparc(arguments.dseg, affine, body.shape)
    if method == "atropos":
        # ANTs takes a second to import, which the other methods need not wait for.
        from pipeline_lib.imaging.brain import brain_tissues

        return brain_tissues(images, affine, options["reference"], body, options["seed"])
    return Tissues(np.zeros(body.shape, dtype=np.uint8), {})


if __name__ == "__main__":
    run_stage(main)
