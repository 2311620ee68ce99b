"""Image metrics within a mask; data range and mask have no default, because results hang on them.

One prediction and one target give a PSNR from 21.7 to 30.5 dB by the range and mask that published
code happens to choose. Here all arrays are [slice, row, column] (or any shape, where no window is
involved), the mask is of the target side, and the range is declared by the caller.
"""

from collections.abc import Sequence as Series

import numpy as np
import torch
from torch import Tensor

from pipeline_lib.evaluation.similarity import WindowedTarget
from pipeline_lib.evaluation.windows import padded, pieces, tensor

Array = np.ndarray

# Grey levels of each image in the joint histogram of `nmi`.
LEVELS = 64
# Crete et al. 2007: the images are blurred again by a mean over 11 pixels.
REBLUR = 11
# Pixels around a voxel that any window here reaches: the mean over 11 after Sobel's difference.
REACH = REBLUR // 2 + 1


def mae(prediction: Array, target: Array, *, mask: Array) -> float:
    """Mean absolute error within the mask, in the unit of the images."""
    return float(np.abs(_difference(prediction, target, mask)).mean())


def bias(prediction: Array, target: Array, *, mask: Array) -> float:
    """Mean of prediction minus target within the mask: positive where it is too bright."""
    return float(_difference(prediction, target, mask).mean())


def nrmse(prediction: Array, target: Array, *, mask: Array) -> float:
    """Norm of the error over the norm of the target, both within the mask.

    Not symmetric: some published code divides by the norm of the prediction.
    """
    error = np.linalg.norm(_difference(prediction, target, mask))
    return float(error / np.linalg.norm(target[mask].astype(float)))


def psnr(prediction: Array, target: Array, *, mask: Array, data_range: float) -> float:
    """Peak signal-to-noise ratio within the mask in decibels, 10 log10(R^2 / MSE).

    Infinite for a perfect answer.

    Parameters
    ----------
    prediction, target
        Of one shape.
    mask
        Of that shape, bool.
    data_range
        The declared range R of the target's contrast, the same for all patients and models.
    """
    error = np.mean(_difference(prediction, target, mask) ** 2)
    return float(decibels(error, data_range))


def decibels(mean_squared_error: Array | float, data_range: Array | float) -> Array:
    """Turn a mean squared error into a peak signal-to-noise ratio."""
    with np.errstate(divide="ignore"):
        return 10 * np.log10(data_range**2 / np.asarray(mean_squared_error, dtype=float))


def ratio(numerator: float, denominator: float) -> float:
    """Divide; NaN where there is nothing to divide by."""
    return float(numerator / denominator) if denominator > 0 else float("nan")


def ssim(prediction: Array, target: Array, *, mask: Array, data_range: float) -> float:
    """Mean over the mask of the map of structural similarity of each slice.

    Wang et al. 2004, eq. 13, with a Gaussian window of 1.5 pixels. Of the whole frame it would rank
    a noisy copy of the wrong contrast above a perfect noise-free answer, because most of a frame is
    background.
    """
    _check(prediction, target, mask)
    windowed = WindowedTarget(tensor(target), data_range)
    similarity = windowed.similarity(windowed.moments(tensor(prediction)))
    return float(similarity[tensor(mask)].double().mean())


def ssim_3d(
    prediction: Array, target: Array, *, mask: Array, data_range: float, runs: Series[slice]
) -> float:
    """Mean over the mask of the map of structural similarity with a window through slices too.

    Parameters
    ----------
    prediction, target, mask, data_range
        See `ssim`.
    runs
        Slices that are neighbours; see `windows.neighbouring` and `windows.smoothed_along_slices`
        for what becomes of the ends. The window is of 1.5 slices, whatever their distance.
    """
    _check(prediction, target, mask)
    windowed = WindowedTarget(tensor(target), data_range, runs)
    similarity = windowed.similarity_through(windowed.moments(tensor(prediction)))
    return float(similarity[tensor(mask)].double().mean())


def nmi(prediction: Array, target: Array, *, mask: Array, data_range: float) -> float:
    """Normalised mutual information (H(A) + H(B)) / H(A, B) of the voxels within the mask.

    Studholme et al. 1999, eq. 12: 1 for independent images, 2 for images that determine each other,
    whatever their scales. The joint histogram has 64 x 64 bins from 0 to the data range; values
    beyond count in the outermost bins. NaN where all voxels lie in one bin.
    """
    _check(prediction, target, mask)
    one, other = (grey_levels(tensor(images[mask]), data_range) for images in (prediction, target))
    return mutual_information(one, other)


def grey_levels(values: Tensor, data_range: float) -> Tensor:
    """Bin of each value between 0 and the data range: int16, from 0 to 63."""
    return (values * (LEVELS / data_range)).clamp_(0, LEVELS - 1).to(torch.int16)


def mutual_information(one: Tensor, other: Tensor) -> float:
    """Studholme's normalised mutual information of two lists of grey levels."""
    counts = torch.bincount(one * LEVELS + other, minlength=LEVELS**2).double()
    joint = (counts / counts.sum()).view(LEVELS, LEVELS)
    both = _entropy(joint)
    return (_entropy(joint.sum(0)) + _entropy(joint.sum(1))) / both if both > 0 else float("nan")


def blur(prediction: Array, target: Array, *, mask: Array) -> float:
    """Perceptual blur of the prediction over that of the target: above 1 it is blurrier."""
    _check(prediction, target, mask)
    one, other = (perceptual_blur(images, mask=mask) for images in (prediction, target))
    return ratio(one, other)


def perceptual_blur(images: Array, *, mask: Array) -> float:
    """Crete et al. 2007: from 0 (sharp) to 1; what a second blur leaves of the edges.

    As scikit-image's `blur_effect` computes it (the greater of the values along rows and columns),
    with the sums over the mask in all slices in the place of those over one frame.
    """
    _check(images, images, mask)
    return blurredness(tensor(images), tensor(mask))


def blurredness(images: Tensor, mask: Tensor) -> float:
    """`perceptual_blur` of tensors [slice, row, column]."""
    edges, kept = np.zeros(2), np.zeros(2)
    for piece in pieces(len(images), images[0].numel()):
        inside = mask[piece].to(images.dtype)
        for along in (1, 2):
            sharp, blurred = _edges(images[piece], along)
            # Crete's loss of variation is max(0, sharp - blurred): what is kept is the smaller.
            kept[along - 1] += float(torch.minimum(sharp, blurred).mul_(inside).sum())
            edges[along - 1] += float(sharp.mul_(inside).sum())
    # An image without edges can't be blurred any further.
    return float(np.divide(kept, edges, out=np.ones(2), where=edges > 0).max())


def _edges(images: Tensor, along: int) -> tuple[Tensor, Tensor]:
    """Size of Sobel's difference along an axis, of the images and of their running means.

    Both times 4, which the ratio drops. The difference of means over 11 pixels that lie 2 apart is
    that of the two pixels at either end.
    """
    across = 3 - along
    size, wide = images.shape[along], images.shape[across]
    over = padded(padded(images, along, REACH), across, 1)
    smooth = over.narrow(across, 0, wide) + over.narrow(across, 2, wide)
    smooth.add_(over.narrow(across, 1, wide), alpha=2)

    def at(shift: int) -> Tensor:
        return smooth.narrow(along, REACH + shift, size)

    sharp = (at(1) - at(-1)).abs_()
    ends = (at(REACH) + at(REACH - 1)).sub_(at(1 - REACH)).sub_(at(-REACH))
    return sharp, ends.abs_().div_(REBLUR)


def _entropy(shares: Tensor) -> float:
    return float(torch.special.entr(shares).sum())


def _difference(prediction: Array, target: Array, mask: Array) -> Array:
    _check(prediction, target, mask)
    return prediction[mask].astype(float) - target[mask].astype(float)


def _check(prediction: Array, target: Array, mask: Array) -> None:
    if not prediction.shape == target.shape == mask.shape:
        raise ValueError(f"shapes {prediction.shape}, {target.shape} and {mask.shape} differ")
    if mask.dtype != bool or not mask.any():
        raise ValueError("a mask is bool and holds at least one voxel")
