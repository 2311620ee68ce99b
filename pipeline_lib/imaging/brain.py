"""Grey matter, white matter and CSF of a brain without a segmentation, by ANTs' Atropos."""

from collections.abc import Mapping

import ants
import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.itk import ants_image
from pipeline_lib.imaging.masks import closed, dilated, eroded, filled, largest_component, smoothed
from pipeline_lib.imaging.scans import read_volume, spacing_of
from pipeline_lib.imaging.segmentation import Tissues
from pipeline_lib.imaging.template import template_map

NAMES = {1: "csf", 2: "grey_matter", 3: "white_matter"}
WORKING_SPACING = 1.5  # mm; finer voxels cost time and move no border of a tissue
CORE, SCALP, BRIDGES = 30.0, 7.0, 5.0  # mm, of `rough_brain`
PRIOR_WEIGHT = 0.25
ITERATIONS = 5


def brain_tissues(
    images: Mapping[str, np.ndarray],
    affine: np.ndarray,
    reference: str,
    body: np.ndarray,
    seed: int,
) -> Tissues:
    """Segment a brain from all registered contrasts of a session.

    1. A rough brain is cut out of the reference contrast (see `rough_brain`), because the template
       has no skull and would be stretched over the whole head.
    2. The ICBM 152 brain is registered to it: affine, then SyN on a grid of 1.5 mm, by Mattes'
       mutual information, which asks for no particular contrast. Its tissue maps, carried over,
       are the priors, and where their sum is over one half is the brain.
    3. Atropos (Avants et al. 2011) assigns each voxel of the brain from all contrasts, with those
       priors and a Markov random field.

    Parameters
    ----------
    images
        Registered scans [x, y, z] by contrast.
    affine
        Of the reference grid.
    reference
        Contrast that the template is registered to.
    body
        bool [x, y, z].
    seed
        Of ANTs.

    Returns
    -------
        On the reference grid; the order of the labels is that of the priors.

    Raises
    ------
    InputError
        If no brain is found.
    """
    ants.config.set_ants_deterministic(True, seed_value=seed)
    rough = rough_brain(images[reference], body, spacing_of(affine))
    fixed = ants_image(images[reference] * rough, affine)
    spacing = [max(size, WORKING_SPACING) for size in fixed.spacing]
    coarse = ants.resample_image(fixed, spacing, use_voxels=False, interp_type=0)
    priors = [ants_image(values, template_affine) for values, template_affine in _template()]
    brain = ants_image(*_volume("t1"))
    affinely = ants.registration(coarse, brain, "Affine", random_seed=seed)
    found = ants.registration(
        coarse, brain, "SyNOnly", initial_transform=affinely["fwdtransforms"][0],
        reg_iterations=(40, 20, 0), syn_metric="mattes", random_seed=seed,
    )  # fmt: skip
    carried = [ants.apply_transforms(coarse, prior, found["fwdtransforms"]) for prior in priors]
    total = sum(prior.numpy() for prior in carried)
    mask = ants.from_numpy((total > 0.5).astype("float32"), *_geometry(coarse))
    if mask.sum() < 1000:
        raise InputError(
            "no brain was found for Atropos; set segment.tissues to none, or add a dseg."
        )
    features = [
        ants.resample_image_to_target(ants_image(image, affine), coarse)
        for image in images.values()
    ]
    segmented = ants.atropos(
        a=features, x=mask, i=carried, m="[0.1,1x1x1]", c=f"[{ITERATIONS},0]",
        priorweight=PRIOR_WEIGHT,
    )["segmentation"]  # fmt: skip
    labels = ants.resample_image_to_target(segmented, fixed, interp_type="nearestNeighbor")
    return Tissues(np.rint(labels.numpy()).astype(np.uint8), NAMES)


def rough_brain(
    image: np.ndarray, body: np.ndarray, spacing: tuple[float, float, float]
) -> np.ndarray:
    """Cut a brain out of a head by its dark skull.

    What is brighter than half the median of the head's core, without the scalp, is opened until
    the bridges through the skull break; the largest piece is grown back and its holes are filled.

    Parameters
    ----------
    image
        Scan [x, y, z] of any contrast in which the skull is dark.
    body
        bool [x, y, z], the head.
    spacing
        mm.

    Returns
    -------
        bool [x, y, z].
    """
    smooth = smoothed(image, spacing, 1.0)
    core = eroded(body, spacing, CORE)
    if not core.any():
        return body
    bright = (smooth > 0.5 * np.median(smooth[core])) & eroded(body, spacing, SCALP)
    kept = largest_component(eroded(bright, spacing, BRIDGES))
    return filled(closed(dilated(kept, spacing, BRIDGES + 1.0), spacing, BRIDGES))


def _geometry(image: ants.ANTsImage) -> tuple[tuple[float, ...], tuple[float, ...], np.ndarray]:
    return image.origin, image.spacing, image.direction


def _volume(kind: str) -> tuple[np.ndarray, np.ndarray]:
    return read_volume(template_map(kind))


def _template() -> list[tuple[np.ndarray, np.ndarray]]:
    """Give CSF, grey and white matter, 0 to 1; CSF is what the brain has besides the others."""
    (brain, affine), (grey, _), (white, _) = (_volume(kind) for kind in ("t1", "gm", "wm"))
    csf = np.clip((brain > 0) - (grey + white) / 255, 0, 1).astype(np.float32)
    return [(csf, affine), (grey / 255, affine), (white / 255, affine)]
