"""Registration of real T1w and T2w scans to FLAIR, beside ANTs' presets.

    python -m benchmarks.registration FOLDER [DRAWS]

FOLDER is a copy of ms_longitudinal with derivatives/published_transforms. Every scan is corrected
as the workflow does it, registered as it is and after DRAWS known rigid displacements (5 degrees
about a random axis through the scan's middle and 5 mm, through its header), and compared with the
published affine (composed with the displacement): mean distance in mm over the brain.
"""

import os

for variable in ("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import sys
import time
from pathlib import Path

import ants
import numpy as np

from pipeline_lib.imaging.bias import BiasSettings, n4_log_field, shared_log_fields
from pipeline_lib.imaging.bids import find_scans
from pipeline_lib.imaging.brain import rough_brain
from pipeline_lib.imaging.itk import ants_image
from pipeline_lib.imaging.masks import body_mask
from pipeline_lib.imaging.registration import RegisterSettings, Scan, register
from pipeline_lib.imaging.scans import read_scan, spacing_of
from pipeline_lib.imaging.transforms import (
    from_itk_parameters,
    mean_distance,
    read_itk_affine,
    rotation_about,
)

BIAS = BiasSettings(4, (50, 50, 50, 50), 1e-4, 200.0, "shared")
PRESETS = ("Rigid", "QuickRigid")


def corrected(paths: dict[str, Path]) -> dict[str, Scan]:
    """Read and correct the scans of a session as the stage correct_bias does."""
    volumes = [read_scan(path) for path in paths.values()]
    masks = [body_mask(image, spacing_of(affine)) for image, affine in volumes]
    fields = [
        n4_log_field(image, affine, mask, BIAS)
        for (image, affine), mask in zip(volumes, masks, strict=True)
    ]
    shared = shared_log_fields(fields, [affine for _, affine in volumes], masks)
    return {
        contrast: Scan(image / np.exp(field), affine, mask)
        for contrast, (image, affine), mask, field in zip(
            paths, volumes, masks, shared, strict=True
        )
    }


def preset(reference: Scan, scan: Scan, kind: str) -> np.ndarray:
    """Matrix that one of ANTs' presets finds."""
    fixed = ants_image(reference.image, reference.affine)
    moving = ants_image(scan.image, scan.affine)
    found = ants.registration(fixed, moving, kind, random_seed=1)
    transform = ants.read_transform(found["fwdtransforms"][0])
    return from_itk_parameters(np.array(transform.parameters), np.array(transform.fixed_parameters))


def timed(find, *arguments) -> tuple[np.ndarray, float]:
    """Call, and give the CPU seconds that it took."""
    start = time.process_time()
    return find(*arguments), time.process_time() - start


def ours(reference: Scan, scan: Scan, seed: int) -> np.ndarray:
    """Matrix that the workflow's rigid registration finds."""
    return register(reference, scan, RegisterSettings("rigid"), seed, Path("unused")).matrix


def displaced(scan: Scan, rng: np.random.Generator) -> tuple[Scan, np.ndarray]:
    """Turn a scan by 5 degrees and move it by 5 mm in the world."""
    centre = scan.affine[:3, :3] @ (np.array(scan.image.shape) / 2) + scan.affine[:3, 3]
    direction = rng.standard_normal(3)
    motion = rotation_about(
        rng.standard_normal(3), 5.0, centre, 5.0 * direction / np.linalg.norm(direction)
    )
    return Scan(scan.image, motion @ scan.affine, scan.mask), motion


def main() -> None:
    """Print a table."""
    root = Path(sys.argv[1])
    draws = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    contrasts = {"T1w": {}, "T2w": {}, "FLAIR": {}}
    print("| scan | ours mm | ours CPU s | Rigid mm | s | QuickRigid mm | s | ours displaced mm |")
    print("|---|---|---|---|---|---|---|---|")
    for session, paths in find_scans(root, contrasts, "FLAIR").items():
        scans = corrected(paths)
        reference = scans["FLAIR"]
        brain = rough_brain(reference.image, reference.mask, spacing_of(reference.affine))
        for contrast in ("T1w", "T2w"):
            name = f"{contrast[:2]}W_intrastudy_to_FLAIR.txt"
            folder = root / "derivatives/published_transforms" / session.replace("_", "/")
            published = read_itk_affine(folder / name)
            row = [f"{session} {contrast}"]
            found, seconds = timed(ours, reference, scans[contrast], 1)
            row += [
                f"{mean_distance(found, published, brain, reference.affine):.2f}",
                f"{seconds:.1f}",
            ]
            for kind in PRESETS:
                found, seconds = timed(preset, reference, scans[contrast], kind)
                distance = mean_distance(found, published, brain, reference.affine)
                row += [f"{distance:.2f}", f"{seconds:.1f}"]
            rng = np.random.default_rng(2021)
            errors = []
            for draw in range(draws):
                moved, motion = displaced(scans[contrast], rng)
                found = ours(reference, moved, 2 + draw)
                errors.append(mean_distance(found, motion @ published, brain, reference.affine))
            row.append(", ".join(f"{error:.2f}" for error in errors))
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
