"""A small synthetic head: ellipsoids of scalp, brain, ventricles and lobes, in any contrast."""

import numpy as np

from pipeline_lib.imaging.transforms import apply

# centre and half-axes in mm (RAS), from the outside in; each paints over the ones before.
_SHAPES = {
    "scalp": ([0, 0, 0], [72, 88, 80]),
    "bone": ([0, 0, 0], [65, 80, 72]),
    "grey": ([0, 0, 0], [60, 75, 66]),
    "white": ([0, 4, 2], [48, 62, 54]),
    "left": ([-14, 10, 8], [7, 22, 9]),
    "right": ([15, 8, 7], [6, 24, 10]),
    "nucleus": ([22, -10, -8], [10, 14, 9]),
    "eye": ([30, 66, -20], [13, 13, 13]),
    "stem": ([2, -30, -40], [14, 18, 30]),
}
# The signal of each shape, in their order.
CONTRASTS = {
    "T1w": [1.0, 0.1, 0.5, 0.7, 0.2, 0.2, 0.55, 0.25, 0.66],
    "T2w": [0.5, 0.08, 0.6, 0.45, 1.0, 1.0, 0.4, 1.0, 0.5],
}


def grid(shape=(64, 72, 20), spacing=(3.0, 3.0, 6.0)):
    """Affine of a grid whose middle is the origin."""
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -0.5 * (np.array(shape) - 1) * spacing
    return shape, affine


def head(contrast, shape, affine, motion=None, noise=0.0, seed=0):
    """Scan [x, y, z] of the head after a motion (world matrix, head to scanner)."""
    indices = np.indices(shape).reshape(3, -1).T
    points = apply(np.asarray(affine), indices)
    if motion is not None:
        points = apply(np.linalg.inv(motion), points)
    image = np.zeros(len(points))
    softness = 3.0  # mm, the width of a border
    for (centre, axes), signal in zip(_SHAPES.values(), CONTRASTS[contrast], strict=True):
        axes = np.array(axes, dtype=float)
        radius = np.linalg.norm((points - centre) / axes, axis=1)
        share = np.clip(0.5 + (1 - radius) * axes.mean() / softness, 0, 1)
        image += share * (signal - image)
    random = np.random.default_rng(seed)
    image = np.hypot(
        image + noise * random.standard_normal(image.shape),
        noise * random.standard_normal(image.shape),
    )
    return (1000 * image.reshape(shape)).astype(np.float32)
