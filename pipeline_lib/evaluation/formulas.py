"""What each paper measured, by its own formula: labelled as such, and comparable within it alone.

All are of whole slices, not of the body, and give one value a patient.
"""

from collections.abc import Callable

import numpy as np
import torch
from skimage.filters import threshold_otsu

from pipeline_lib.errors import InputError, did_you_mean
from pipeline_lib.evaluation.metrics import decibels
from pipeline_lib.evaluation.similarity import WindowedTarget
from pipeline_lib.evaluation.windows import GAUSSIAN, UNIFORM, Weights, tensor

Array = np.ndarray

# Narang et al. 2022: images in one batch, and its 8-bit grey levels.
BATCH = 8
WHITE = 255


def paper_scores(
    paper: str, prediction: Array, target: Array, data_range: float
) -> dict[str, float]:
    """Score a patient's prediction as a paper did.

    Parameters
    ----------
    paper
        simko2021, crl2024, narang2022 or alkan2017.
    prediction, target
        [slice, row, column], whole slices on the patient's scale.
    data_range
        Declared range of the target's contrast; only Narang's 8-bit window needs it.

    Returns
    -------
        Value of each of the paper's metrics, which begin with its name.

    Raises
    ------
    InputError
        If the paper is unknown.
    """
    check_paper(paper)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = FORMULAS[paper](
            np.asarray(prediction, dtype=np.float32), np.asarray(target, dtype=float), data_range
        )
    return {f"{paper}_{metric}": value for metric, value in values.items()}


def check_paper(paper: str | None) -> None:
    """Refuse a paper whose formula is not known; `None` stands for no paper.

    Raises
    ------
    InputError
        If it is none of them.
    """
    if paper is not None and paper not in FORMULAS:
        raise InputError(
            f"there is no formula of the paper {paper}{did_you_mean(paper, FORMULAS)}; "
            f"set the experiment's `paper:` to one of {', '.join(FORMULAS)}, or to null."
        )


def simko2021(prediction: Array, target: Array, _: float) -> dict[str, float]:
    """Simko et al. 2021, Table 2: "only for the anatomy", means over slices.

    The paper names MSE, NRMSE, PSNR, SSIM and Otsu's threshold; how they are put together is from
    the authors' code (github.com/attilasimko/contrast-sct): both images times the mask of the
    target, then scikit-image over the frame. NRMSE is divided by the norm of the prediction, which
    that code passes first; R is max - min over both images of a slice, rounded up; SSIM has
    scikit-image's window of 7 x 7. Slices without anatomy (of one value throughout) are left out.
    """
    masks = np.stack([image > threshold_otsu(image) for image in target])
    with_anatomy = masks.any(axis=(1, 2))
    if not with_anatomy.any():
        return dict.fromkeys(("mse", "nrmse", "psnr", "ssim"), float("nan"))
    masks = masks[with_anatomy]
    predicted, true = prediction[with_anatomy] * masks, target[with_anatomy] * masks
    frame = (1, 2)
    errors = np.mean((predicted - true) ** 2, axis=frame)
    norms = np.sqrt(np.mean(np.square(predicted, dtype=float), axis=frame))
    highest = np.maximum(predicted.max(frame), true.max(frame))
    lowest = np.minimum(predicted.min(frame), true.min(frame))
    ranges = np.ceil(highest - lowest)
    return {
        "mse": float(errors.mean()),
        "nrmse": float(np.mean(np.sqrt(errors) / norms)),
        "psnr": float(decibels(errors, ranges).mean()),
        "ssim": _similarity(predicted, true, ranges, UNIFORM, 49 / 48),
    }


def crl2024(prediction: Array, target: Array, _: float) -> dict[str, float]:
    """CRL (MICCAI 2024), Tables 2 and 3: the whole frame, means over slices, SSIM in per cent.

    PSNR is -10 log10 MSE, from the authors' code (github.com/xionghonglin/CRL_MICCAI_2024,
    utils.py). The paper scales images by their minimum and maximum and does not say of what: here
    it is the target's over all its slices, for prediction and target alike. There is no code for
    SSIM and the paper does not give its window: here it is Wang's Gaussian, R = 1. Over what the
    paper's standard deviations are taken is not said either.
    """
    lowest, highest = target.min(), target.max()
    predicted, true = ((x - lowest) / (highest - lowest) for x in (prediction, target))
    errors = np.mean((predicted - true) ** 2, axis=(1, 2))
    return {
        "psnr": float(decibels(errors, 1.0).mean()),
        "ssim": 100 * _similarity(predicted, true, np.ones(len(true)), GAUSSIAN, 1.0),
    }


def narang2022(prediction: Array, target: Array, data_range: float) -> dict[str, float]:
    """Narang et al. 2022, Tables 1 and 2: 8-bit images, PSNR of batches of 8 of them.

    From the authors' notebooks (github.com/Abhijeet8901/
    Deep-Learning-Based-MR-Image-Re-parameterization): PSNR of the MSE of a batch, the last one
    smaller, R = 255, then the mean over batches. The window that became 8 bits is not given: here
    0 to the declared range, clipped. Batches are of consecutive slices here, at random there. The
    mean absolute error, in grey levels, is of all images; the notebooks took the first of every
    tenth batch.
    """
    grey, true = (np.round(np.clip(x / data_range, 0, 1) * WHITE) for x in (prediction, target))
    error = grey - true
    batches = [error[first : first + BATCH] for first in range(0, len(error), BATCH)]
    psnr = decibels(np.array([np.mean(batch**2) for batch in batches]), WHITE)
    return {"psnr": float(psnr.mean()), "mae": float(np.abs(error).mean())}


def alkan2017(prediction: Array, target: Array, _: float) -> dict[str, float]:
    """Alkan et al. 2017, Tables 1 to 3: the mean squared error (eq. 2), without a mask.

    Over whole slices here, over patches of 128 x 128 pixels there. In squares of the patient's
    scale; the paper's are in squares of HCP's intensities, so that ratios between models transfer
    and values do not.
    """
    return {"mse": float(np.mean((prediction - target) ** 2))}


FORMULAS: dict[str, Callable[[Array, Array, float], dict[str, float]]] = {
    "simko2021": simko2021,
    "alkan2017": alkan2017,
    "crl2024": crl2024,
    "narang2022": narang2022,
}


def _similarity(
    prediction: Array, target: Array, ranges: Array, weights: Weights, covariance_factor: float
) -> float:
    """SSIM as scikit-image averages it: without a border of half the window."""
    windowed = WindowedTarget(
        tensor(target), torch.from_numpy(ranges), (), weights, covariance_factor
    )
    moments = windowed.moments(tensor(prediction.astype(target.dtype, copy=False)))
    similarity = windowed.similarity(moments)
    border = len(weights) // 2
    return float(similarity[:, border:-border, border:-border].mean())
