"""Pictures of one slice in several contrasts (JPEG, PNG) as a patient's slices."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.transform import resize

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.masks import largest_component
from pipeline_lib.imaging.scale import ScaleSettings, patient_scale
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.store import PatientSlices

# Pillow's names for pictures of 8 bits a channel: grey, palette, colours, with and without alpha.
MODES = ("L", "LA", "P", "PA", "RGB", "RGBA")


def read_picture(path: str | Path) -> np.ndarray:
    """Read an 8-bit picture as grey levels.

    Parameters
    ----------
    path
        Anything that Pillow reads. Colours become their luma (ITU-R BT.601).

    Returns
    -------
        float32 [row, column], 0 to 255.

    Raises
    ------
    InputError
        If the file is missing, no picture, cut short, or not of 8 bits.
    """
    try:
        with Image.open(path) as picture:
            mode = picture.mode
            grey = np.asarray(picture.convert("L"), dtype=np.float32)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; correct the contrast's `file:`.") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read as a picture ({error}); save it again as PNG or JPEG."
        ) from None
    if mode not in MODES:
        raise InputError(
            f"{path} is no picture of 8 bits (its mode is {mode}); save it as 8-bit PNG or JPEG."
        )
    return grey


def picture_slices(
    patient: str,
    pictures: Mapping[str, Path],
    sequences: Mapping[str, Sequence],
    reference: str,
    size: tuple[int, int],
    scale: ScaleSettings,
) -> PatientSlices:
    """Make one slice of a patient from its pictures, which must show the same slice alike.

    A picture is not turned. It is resized to fill `size`, bilinearly, after smoothing where it
    gets coarser, and keeps its proportions by rows or columns of zeros on both sides.

    Parameters
    ----------
    patient
        `sub-brainweb`.
    pictures, sequences
        By contrast, in one order.
    reference
        The contrast that shows the body and sets the scale.
    size
        Rows and columns of the slice.
    scale
        Which grey level of the reference becomes 1.

    Returns
    -------
        A slice without tissues. A picture doesn't tell its spacing: a pixel of it is taken for
        1 mm. There is no volume that the slice could go back to, so `geometry` is empty.

    Raises
    ------
    InputError
        See `read_picture`; also if the pictures differ in size, or the reference is the same
        everywhere.
    """
    read = {contrast: read_picture(path) for contrast, path in pictures.items()}
    shape = read[reference].shape
    for contrast, image in read.items():
        if image.shape != shape:
            raise InputError(
                f"{pictures[contrast]} has {_by(image.shape)} pixels and {pictures[reference]} "
                f"{_by(shape)}; the contrasts of a slice must be of one size: cut them alike."
            )
    zoom = min(size[0] / shape[0], size[1] / shape[1])
    images = {contrast: fitted(image, size, zoom) for contrast, image in read.items()}
    try:
        body = picture_body(images[reference])
        unit = patient_scale([(images[reference], body)], scale)
    except InputError as error:
        raise InputError(f"{pictures[reference]}: {error}") from None
    return PatientSlices(
        patient=patient,
        contrasts={contrast: sequences[contrast] for contrast in pictures},
        images=np.stack(list(images.values()))[None] / np.float32(unit),
        body=body[None].astype(np.uint8),
        tissues=np.zeros((1, *size), dtype=np.uint8),
        tissue_names={},
        sessions=(patient,),
        indices=(0,),
        scale=unit,
        spacing=(1 / zoom, 1 / zoom),
        geometry={},
    )


def fitted(image: np.ndarray, size: tuple[int, int], zoom: float) -> np.ndarray:
    """Resize an image [row, column] by a factor and put it in the middle of zeros of a size."""
    rows, columns = (round(length * zoom) for length in image.shape)
    resized = resize(image, (rows, columns), order=1, anti_aliasing=True, preserve_range=True)
    result = np.zeros(size, dtype=np.float32)
    top, left = (size[0] - rows) // 2, (size[1] - columns) // 2
    result[top : top + rows, left : left + columns] = resized
    return result


def picture_body(image: np.ndarray) -> np.ndarray:
    """Find the body: the largest object above Otsu's threshold (1979), with its holes filled.

    Parameters
    ----------
    image
        [row, column].

    Returns
    -------
        bool [row, column].

    Raises
    ------
    InputError
        If the image is the same everywhere.
    """
    if np.ptp(image) == 0:
        raise InputError("the picture is the same everywhere; save it again.")
    return ndimage.binary_fill_holes(largest_component(image > threshold_otsu(image)))


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
