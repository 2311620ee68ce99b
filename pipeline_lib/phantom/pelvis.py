"""An analytic male pelvis: ellipsoids for its organs, each patient's of another size and place.

No labelled pelvis may be shared, so the shapes are this project's own, after axial anatomy: a
trunk of subcutaneous fat and muscle, fat planes between the muscles, hip bones, femora and sacrum
of marrow with a cortical shell, and within the pelvic fat bladder, prostate and rectum. Positions
are in mm from the middle of the trunk, x to the right, y to the front, z upwards.
"""

import numpy as np

from pipeline_lib.phantom.grid import Grid
from pipeline_lib.phantom.shapes import Ellipsoid, Painting
from pipeline_lib.phantom.warp import random_warp

Array = np.ndarray
Triple = tuple[float, float, float]

WARP = 3.5  # mm
CORTEX = 3.0  # mm of cortical bone
TALL = 400.0  # mm; a radius that makes the trunk a cylinder


class _Anatomy:
    """Places organs with the sizes of one patient."""

    def __init__(self, painting: Painting, rng: np.random.Generator) -> None:
        self.painting = painting
        self.rng = rng
        self.build = rng.uniform(0.93, 1.07)

    def organ(
        self, centre: Triple, radii: Triple, turn: float = 0.0, vary: float = 0.1
    ) -> Ellipsoid:
        """Give an ellipsoid near this place, of about this size."""
        place = np.array(centre) * self.build + self.rng.normal(0, 2.0, 3) * [centre[0] != 0, 1, 1]
        size = np.array(radii) * self.build * self.rng.uniform(1 - vary, 1 + vary, 3)
        return Ellipsoid(tuple(map(float, place)), tuple(map(float, size)), turn)  # type: ignore[arg-type]

    def pair(self, centre: Triple, radii: Triple, turn: float = 0.0) -> list[Ellipsoid]:
        """Give an organ of the right side and its mirror image."""
        right = self.organ(centre, radii, turn)
        x, y, z = right.centre
        return [right, Ellipsoid((-x, y, z), right.radii, -turn)]

    def bone(self, *shapes: Ellipsoid) -> None:
        """Paint bones that grow together: the marrow of all, then the shell around all."""
        for shape in shapes:
            self.painting.paint("marrow", shape.grown(-CORTEX))
        for shape in shapes:
            self.painting.paint("cortical_bone", shape)

    def walled(self, tissue: str | None, wall: str, shape: Ellipsoid, thickness: float) -> None:
        """Paint a hollow organ."""
        self.painting.paint(tissue, shape.grown(-thickness))
        self.painting.paint(wall, shape)


def pelvis(grid: Grid, rng: np.random.Generator) -> dict[str, Array]:
    """Draw a pelvis.

    Parameters
    ----------
    grid
        Of the fractions; its centre lies at the height of the bladder's floor.
    rng
        Of shapes and warp.

    Returns
    -------
        Share of each tissue in each fine voxel, [x, y, fine z], float32; air has none.
    """
    painting = Painting(grid, random_warp(grid, WARP, rng))
    anatomy = _Anatomy(painting, rng)
    _organs(anatomy)
    _bones(anatomy)
    _soft_tissue(anatomy)
    return painting.fractions


def _organs(anatomy: _Anatomy) -> None:
    fill = anatomy.rng.uniform(0.92, 1.2)
    bladder = anatomy.organ((0, 26, 24), (38 * fill, 30 * fill, 27 * fill))
    anatomy.walled("bladder", "muscle", bladder, 3.5)
    anatomy.painting.paint("prostate", anatomy.organ((0, 14, -24), (25, 19, 21)))
    for shape in anatomy.pair((17, -8, 0), (17, 6, 7), 0.25):
        anatomy.painting.paint("prostate", shape)  # seminal vesicles: glandular like it
    # Rectum: a bent tube of two parts, gas before stool-free wall.
    gas = anatomy.rng.uniform(0.3, 0.8)
    for centre, radii in (((0, -30, -22), (15, 13, 34)), ((0, -38, 28), (19, 16, 40))):
        tube = anatomy.organ(centre, radii)
        lumen = tube.grown(-4.5)
        pocket = Ellipsoid(
            (lumen.centre[0], lumen.centre[1] + 0.3 * lumen.radii[1], lumen.centre[2]),
            tuple(gas * radius for radius in lumen.radii),  # type: ignore[arg-type]
        )
        anatomy.painting.paint(None, pocket)
        anatomy.painting.paint("rectum", tube)


def _bones(anatomy: _Anatomy) -> None:
    heads = anatomy.pair((89, 10, -8), (24, 24, 24))
    necks = anatomy.pair((108, 4, -26), (24, 15, 17), -0.2)
    trochanters = anatomy.pair((126, -8, -38), (18, 22, 40))
    for femur in zip(heads, necks, trochanters, strict=True):
        anatomy.bone(*femur)
    for head in heads:
        anatomy.painting.paint("cartilage", head.grown(2.5))
    columns = anatomy.pair((78, 8, 6), (27, 36, 34), 0.3)
    wings = anatomy.pair((92, 2, 62), (13, 50, 52), 0.35)
    ischia = anatomy.pair((58, -32, -42), (16, 19, 30))
    rami = anatomy.pair((36, 66, -34), (34, 11, 15), -0.5)
    for hip in zip(columns, wings, ischia, rami, strict=True):
        anatomy.bone(*hip)
    anatomy.bone(
        anatomy.organ((0, -76, 46), (46, 17, 42)), anatomy.organ((0, -78, -4), (15, 9, 24))
    )


def _soft_tissue(anatomy: _Anatomy) -> None:
    paint = anatomy.painting.paint
    build, thickness = anatomy.build, anatomy.rng.uniform(0.75, 1.35)
    for vessel in anatomy.pair((52, 64, 0), (6, 6, 120)):
        paint("blood", vessel)
    for vein in anatomy.pair((42, 58, 0), (7, 6, 120)):
        paint("blood", vein)
    for obturator in anatomy.pair((60, 2, -14), (9, 34, 38)):
        paint("muscle", obturator)
    for levator in anatomy.pair((26, -12, -34), (5, 30, 26), 0.15):
        paint("muscle", levator)
    for fossa in anatomy.pair((30, -48, -44), (19, 26, 34)):
        paint("fat", fossa)
    for sheath in anatomy.pair((50, 66, -6), (20, 17, 110)):
        paint("fat", sheath)
    paint("fat", anatomy.organ((0, 6, 10), (68, 60, 78)))
    trunk = Ellipsoid((0, 0, 0), (186 * build, 117 * build, TALL), square=0.9)
    inner = Ellipsoid(
        (0, 3 * thickness, 0),
        (trunk.radii[0] - 20 * thickness, trunk.radii[1] - 19 * thickness, TALL),
        square=0.8,
    )
    # Planes of fat between the gluteal muscles, and around the muscles of the thigh's front.
    for glutei, width in ((anatomy.pair((96, -26, 0), (62, 66, 130)), 3.0),
                          (anatomy.pair((88, -46, 0), (66, 58, 150)), 3.5),
                          (anatomy.pair((92, 58, -10), (34, 30, 140)), 2.5)):  # fmt: skip
        for muscle in glutei:
            paint("muscle", muscle.grown(-width), within=inner)
            paint("fat", muscle, within=inner)
    paint("muscle", inner)
    paint("fat", trunk.grown(-1.5))
    paint("skin", trunk)
