"""A brain from the MNI152 tissue maps, with a head around it, warped for each patient.

The maps (ICBM 152 2009a, 1 mm, in nilearn's wheel) hold the brain alone. Skull, scalp, eyes, face
and neck are this project's own shapes, placed by the distance from the brain and in MNI mm.
"""

from functools import cache

import numpy as np
from scipy import ndimage

from pipeline_lib.imaging.scans import read_volume
from pipeline_lib.imaging.template import template_map
from pipeline_lib.phantom.grid import Grid, random_field
from pipeline_lib.phantom.shapes import Ellipsoid, Painting
from pipeline_lib.phantom.warp import random_warp

Array = np.ndarray

WARP = 3.5  # mm
CENTRE = np.array([0.0, -17.0, 6.0])  # MNI mm at the middle of the scan
# mm from the brain's hull to the outer border of each layer.
LAYERS = (("csf", 2.5), ("cortical_bone", 4.5), ("marrow", 7.0), ("cortical_bone", 9.0))
SCALP, SKIN = 13.0, 15.0


@cache
def _maps() -> tuple[Array, Array, Array, Array]:
    """White and grey matter (0 to 1), distance from the brain's hull in mm, and the affine."""
    white, affine = read_volume(template_map("wm"))
    grey, _ = read_volume(template_map("gm"))
    inside = read_volume(template_map("t1"))[0] > 0
    coarse = ndimage.binary_closing(np.pad(inside[::2, ::2, ::2], 12), iterations=4)[
        12:-12, 12:-12, 12:-12
    ]
    distance = 2 * (
        ndimage.distance_transform_edt(~coarse) - ndimage.distance_transform_edt(coarse)
    )
    return (
        white / 255,
        grey / 255,
        ndimage.gaussian_filter(distance, 1.0).astype(np.float32),
        affine,
    )


def brain(grid: Grid, rng: np.random.Generator) -> dict[str, Array]:
    """Draw a head.

    Parameters
    ----------
    grid
        Of the fractions; its centre lies in the middle of the brain.
    rng
        Of warp, size and skull.

    Returns
    -------
        Share of each tissue in each fine voxel, [x, y, fine z], float32; air has none.
    """
    stretch = rng.normal(1, 0.03, 3).astype(np.float32)
    warped = random_warp(grid, WARP, rng)
    points = tuple(axis * part for axis, part in zip(warped, stretch, strict=True))
    painting = Painting(grid, points)
    white, grey, distance, affine = _maps()
    places = [
        (axis + np.float32(CENTRE[i] - affine[i, 3])) / np.float32(affine[i, i])
        for i, axis in enumerate(points)
    ]
    outside = _sample(distance, [place / 2 for place in places], 60.0)
    # The skull's thickness and the scalp's differ from place to place.
    outside *= 1 + 0.12 * random_field(grid, 40.0, rng)
    width = np.float32(np.mean(grid.spacing[:2]))
    _lay_brain(painting, _sample(white, places, 0.0), _sample(grey, places, 0.0), outside / width)
    for tissue, border in LAYERS:
        painting.lay(tissue, np.clip(0.5 - (outside - border) / width, 0, 1))
    _lay_face(painting)
    painting.lay("fat", np.clip(0.5 - (outside - SCALP) / width, 0, 1))
    painting.lay("skin", np.clip(0.5 - (outside - SKIN) / width, 0, 1))
    return painting.fractions


def _sample(volume: Array, places: list[Array], beyond: float) -> Array:
    return ndimage.map_coordinates(volume, places, order=1, cval=beyond, output=np.float32)


def _lay_brain(painting: Painting, white: Array, grey: Array, outside: Array) -> None:
    cover = np.clip(0.5 - outside, 0, 1)
    shares = {
        "white_matter": white,
        "grey_matter": grey,
        "csf": np.clip(1 - white - grey, 0, 1),
    }
    # The maps are averages of many brains and blurred by it; their cubes are like one brain's.
    powers = {tissue: share * share * share for tissue, share in shares.items()}
    total = np.maximum(sum(powers.values()), np.float32(1e-6))
    free = painting.left * cover
    for tissue, power in powers.items():
        painting.fractions[tissue] = free * power / total
    painting.left -= free


def _lay_face(painting: Painting) -> None:
    def at(x: float, y: float, z: float, *radii: float, turn: float = 0.0) -> Ellipsoid:
        centre = tuple(map(float, np.array([x, y, z]) - CENTRE))
        return Ellipsoid(centre, radii, turn)  # type: ignore[arg-type]

    for side in (-1, 1):
        painting.paint("csf", at(side * 32, 63, -34, 12, 12, 12))  # the eye's vitreous body
        painting.paint("connective", at(side * 32, 63, -34, 13, 13, 13))
        painting.paint("muscle", at(side * 27, 44, -33, 7, 17, 4, turn=-side * 0.35))
        painting.paint("fat", at(side * 31, 53, -35, 18, 25, 17))
        painting.paint(None, at(side * 27, 58, -66, 14, 15, 13))  # maxillary sinus
        painting.paint("muscle", at(side * 67, 14, -28, 8, 30, 36))
        painting.paint("muscle", at(side * 52, 26, -68, 11, 22, 26))
        for x, y in ((16, -78), (38, -70), (52, -52)):
            painting.paint("muscle", at(side * x, y, -66, 15, 16, 38))
    painting.paint(None, at(0, 66, -50, 13, 24, 24))  # nasal cavity
    painting.paint(None, at(0, 78, 0, 16, 7, 9))  # frontal sinus
    painting.paint("cortical_bone", at(0, 42, -60, 44, 34, 10))
    painting.paint("marrow", at(0, -30, -78, 22, 22, 16))
    for shape in (at(0, 24, -64, 62, 66, 60), at(0, -44, -78, 58, 60, 62)):
        painting.paint("muscle", shape.grown(-6), within=shape)
    for shape in (at(0, 26, -60, 70, 74, 62), at(0, -44, -78, 66, 66, 62)):
        painting.paint("fat", shape.grown(-2))
        painting.paint("skin", shape)
