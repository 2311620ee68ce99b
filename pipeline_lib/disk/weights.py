"""How large networks are, by their settings; standard library only, the Snakefile imports it.

The networks themselves need torch and seconds to be built. Here the weights of their convolutions
and matrices are counted, without the small layers; a test holds the sums against the networks.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

BYTES = 4  # float32, at every precision of the computation
# Of a step: the weights, and their two running means in Adam.
KEPT_A_STEP = 3


def weight_bytes(model: Mapping[str, Any], contrasts: int) -> int:
    """Give the size of all networks of a trained model, discriminators included.

    Parameters
    ----------
    model
        Its complete section of the configuration.
    contrasts
        Of the dataset.
    """
    return BYTES * round(_COUNTS[model["system"].partition("_")[0]](model, contrasts))


def checkpoint_bytes(model: Mapping[str, Any], contrasts: int, validated: bool) -> int:
    """Give the size of a training's checkpoint.

    Parameters
    ----------
    model, contrasts
        As for `weight_bytes`.
    validated
        Whether the split has validation patients: the best weights are kept then too.
    """
    copies = KEPT_A_STEP + validated + (model["average"] > 0)
    return copies * weight_bytes(model, contrasts)


def _chain(widths: Sequence[int], taps: int) -> int:
    """Weights of convolutions of `taps` pixels, one after the other."""
    return taps * sum(into * out for into, out in pairwise(widths))


def _unet(model: Mapping[str, Any], _: int) -> float:
    channels = list(model["channels"])
    finer, coarser = channels[:-1], channels[1:]
    inputs = [model["pixel_block"] ** 2, *finer]
    down = sum(9 * (into + out) * out for into, out in zip(inputs, channels, strict=True))
    up = sum(9 * (low + 2 * high) * high for low, high in zip(coarser, finer, strict=True))
    if not model["conditioned"]:
        return down + up
    # The layers that read the sequences, and those that set each convolution's gain and offset.
    width = model["embedding"]
    return down + up + 4 * width * (sum(channels) + sum(finer)) + width * (width + 40)


def _simko(model: Mapping[str, Any], contrasts: int) -> float:
    widths = [model["channels"] * factor for factor in (1, 2, 4, 8, 16, 16)]
    down = sum(9 * (finer + coarser) * coarser for finer, coarser in pairwise(widths))
    up = sum(9 * (coarser + 2 * finer) * finer for finer, coarser in pairwise(widths))
    base = model["discriminator_channels"]
    if model["discriminator"] == "regressing":
        # Convolutions to a map of 6 x 8 x 8, and four dense layers.
        judge = _chain([16, *(base * f for f in (1, 2, 4, 4, 4)), 6], 9)
        return down + up + judge + _chain([384, 256, 128, 32, 3], 1)
    return down + up + _chain([1, *(base * f for f in (1, 2, 4, 4, 4, 4)), contrasts + 1], 9)


def _alkan(model: Mapping[str, Any], _: int) -> float:
    width = model["channels"]
    # The image, and a mask of each of some four tissues.
    into = 5 if model["tissue_masks"] else 1
    return _chain([into, *(width for _ in range(model["layers"] - 1)), 1], 9)


def _crl(model: Mapping[str, Any], _: int) -> float:
    width = model["channels"]
    perceptrons_and_attention = 12 if model["conditioning"] == "attention" else 8
    return (9 * (2 * model["blocks"] + 1) + perceptrons_and_attention) * width**2


def _paramnet(model: Mapping[str, Any], _: int) -> float:
    widths = list(model["autoencoder_channels"])
    outs = [widths[0] // 2, *widths[:-1]]
    told = 1 if model["conditioning"] == "film" else 2
    decoder = sum(
        9 * (3 + told) * into * into + 9 * into * out
        for into, out in zip(widths, outs, strict=True)
    )
    return decoder + 2 * _chain(widths, 9)


def _generator(width: int, blocks: int, images: int) -> int:
    """Weights of a ResNet generator: 7 x 7 at both ends, two strides each way, residual blocks."""
    ways = 2 * _chain([width, 2 * width, 4 * width], 9)
    return 49 * (images + 1) * width + ways + blocks * 18 * (4 * width) ** 2


def _judges(model: Mapping[str, Any], images: int) -> int:
    """Weights of the patch discriminators, one a scale."""
    widths = [min(512, model["discriminator_channels"] * factor) for factor in (1, 2, 4, 8)]
    return model["discriminator_scales"] * _chain([images, *widths, 1], 16)


def _pgan(model: Mapping[str, Any], _: int) -> float:
    images = model["slices"]
    return _generator(model["channels"], model["blocks"], images) + _judges(model, images + 1)


def _resvit(model: Mapping[str, Any], _: int) -> float:
    c, width = model["channels"], model["width"]
    down = _chain([4 * c, 8 * c, 16 * c], 9) + 16 * c * width + width * model["grid"] ** 2
    up = _chain([width, 8 * c, 4 * c], 9)
    compression = _chain([8 * c, 4 * c, 4 * c], 9) + 8 * c * 4 * c
    transformer = 12 * model["layers"] * width**2
    return _generator(c, 9, 1) + 2 * (down + up + compression) + transformer + _judges(model, 2)


def _ptnet(model: Mapping[str, Any], _: int) -> float:
    c = model["channels"]
    total = 0.0
    for width, helped in ((model["global_width"], 0), (model["width"], c)):
        performers = (
            (49, c), (9 * c, 2 * c), (18 * c, 4 * c),
            (5 * c, 2 * c), (2.5 * c, c), (1.25 * c + helped / 4, c), (c + 1, c),
        )  # fmt: skip
        total += sum(3 * into * out + 3.5 * out**2 for into, out in performers)
        total += 8 * model["layers"] * width**2 + 36 * c * width + width * 4 * c
    return total + _judges(model, 2)


_COUNTS = {
    "alkan": _alkan,
    "crl": _crl,
    "paramnet": _paramnet,
    "pgan": _pgan,
    "ptnet": _ptnet,
    "resvit": _resvit,
    "simko": _simko,
    "unet": _unet,
}
