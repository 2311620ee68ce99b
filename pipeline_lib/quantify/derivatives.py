"""Maps on disk as BIDS derivatives, and back from there into slices."""

import os
import zlib
from collections.abc import Mapping
from collections.abc import Sequence as Listing
from pathlib import Path
from typing import Any, Protocol

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.orientations import aff2axcodes

from pipeline_lib.errors import InputError
from pipeline_lib.files import read_json, write_json, written_whole
from pipeline_lib.imaging.scans import same_grid, to_orientation, write_scan
from pipeline_lib.imaging.sidecars import sidecar_of
from pipeline_lib.quantify.flags import Flag
from pipeline_lib.quantify.tables import PARAMETERS
from pipeline_lib.signal.equations import Form
from pipeline_lib.signal.sequences import Sequence

Array = np.ndarray

UNITS = {"PD": "arbitrary", "T1": "s", "T2": "s", "residual": "arbitrary"}
BOUNDS = tuple(f"{name}_bound" for name in PARAMETERS)
ABOUT = {
    "PD": "Proton density in the unit of the images; 0 where nothing was fitted",
    "T1": "Longitudinal relaxation time; 0 where nothing was fitted",
    "T2": "Transverse relaxation time; 0 where nothing was fitted",
    "residual": "Root mean square over the contrasts of signal minus fit, in the unit of PD",
    "iterations": "Steps of the fit",
}
NAMES = (*PARAMETERS, *BOUNDS, "residual", "iterations", "flag")
"""Of all maps that a fit leaves."""
KINDS = {"iterations": np.uint16, "flag": np.uint8}  # of number in the file; float32 of the others
LEVELS = {
    Flag.NOT_FITTED: "not fitted: outside the mask, 0 in all maps",
    Flag.CONVERGED: "converged: an estimate as good as its bound says",
    Flag.UNIDENTIFIABLE: "converged, but the bound of T1 or of T2 is larger than the value itself",
    Flag.AT_BOUND: "T1 or T2 ended on a limit of the fit, where it is no estimate",
    Flag.NOT_CONVERGED: "still moving after the last iteration",
    Flag.BELOW_NOISE: "no contrast shows a signal of three times the noise",
}
# What BIDS has no name for. The suffix `fit` keeps it out of a search for maps or segmentations.
IGNORED = ("*_fit.nii.gz", "*_fit.json", "tissues.csv", "tissues.tsv")
GENERATED_BY = [{"Name": "Recontrast", "Description": "PD, T1 and T2 of each voxel"}]


class Stack(Protocol):
    """What tells where slices lie in their volumes; `pipeline_lib.slices.store` has the words."""

    @property
    def body(self) -> Array:
        """[slice, row, column]."""

    @property
    def sessions(self) -> tuple[str, ...]:
        """Session of each slice."""

    @property
    def indices(self) -> tuple[int, ...]:
        """Index of each slice in the volume of its session."""

    @property
    def geometry(self) -> Mapping[str, Mapping[str, Any]]:
        """For each session `affine`, from (slice, row, column) to mm, and `slices`."""


def path_of(folder: str | Path, session: str, name: str) -> Path:
    """Path of a map in the folder of its patient.

    Parameters
    ----------
    folder
        Of the patient.
    session
        `sub-01`, or `sub-01_ses-1`, whose maps lie in a folder `ses-1`.
    name
        One of `NAMES`.
    """
    if name in PARAMETERS:
        ending = f"{name}map"
    elif name in BOUNDS:
        ending = f"desc-bound_{name.removesuffix('_bound')}map"
    else:
        ending = f"desc-{name}_fit"
    _, *below = session.split("_")
    return Path(folder, *below, "anat", f"{session}_{ending}.nii.gz")


def described(
    sequences: Mapping[str, Sequence],
    form: Form,
    sigma: float,
    rician: bool,
    gains: Mapping[str, float],
    sources: Listing[str],
) -> dict[str, Any]:
    """Give the fields that the sidecars of all maps of a fit share.

    Parameters
    ----------
    sequences
        Of each contrast that was fitted.
    form
        The signal equation.
    sigma
        Noise SD in the unit of PD that the bounds were computed with; NaN where unknown.
    rician
        Whether the fit was by maximum likelihood of Rician noise.
    gains
        Of the contrasts that had one other than 1.
    sources
        Files that were read, as paths from the folder of the whole derivative.
    """
    likelihood = "maximum likelihood of Rician noise" if rician else "least squares"
    return {
        "EstimationAlgorithm": f"Levenberg-Marquardt, {likelihood}, PD projected out",
        "EstimationReference": "Marquardt 1963, doi:10.1137/0111030; "
        "Golub and Pereyra 1973, doi:10.1137/0710036",
        "Sources": list(sources),
        "SignalEquation": form,
        "Contrasts": {name: sequence.to_mapping() for name, sequence in sequences.items()},
        "Gains": dict(gains),
        "NoiseStandardDeviation": sigma if np.isfinite(sigma) else None,
    }


def write_volumes(
    folder: str | Path,
    session: str,
    values: Mapping[str, Array],
    affine: Array,
    fields: Mapping[str, Any],
) -> None:
    """Write the maps of one session with their sidecars, in NIfTI's canonical orientation.

    Parameters
    ----------
    folder
        Of the patient.
    session
        `sub-01`, or `sub-01_ses-1`.
    values
        Of each of `NAMES`, three axes in any order.
    affine
        [4, 4], from the indices of `values` to millimetres, RAS+.
    fields
        Of all sidecars; see `described`.
    """
    for name in NAMES:
        path = path_of(folder, session, name)
        array, canonical = to_orientation(values[name], affine)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_scan(path, array, canonical, KINDS.get(name, np.float32))
        write_json(sidecar_of(path), {**_own_fields(name), **fields})


def _own_fields(name: str) -> dict[str, Any]:
    """Fields of the sidecar of one map."""
    if name == "flag":
        levels = {str(int(flag)): text for flag, text in LEVELS.items()}
        return {"Description": "How the fit ended", "Levels": levels}
    parameter = name.removesuffix("_bound")
    if name in BOUNDS:
        text = f"Cramér-Rao bound: smallest standard deviation of {parameter} in this voxel"
        text += "; infinite where the contrasts can't tell it, NaN where the noise is unknown"
    else:
        text = ABOUT[name]
    units = {"Units": UNITS[parameter]} if parameter in UNITS else {}
    # BIDS wants it of every map; no skull was looked for, all that was masked out is 0.
    return {"Description": text, **units, "SkullStripped": False}


def write_maps(
    folder: str | Path, slices: Stack, values: Mapping[str, Array], fields: Mapping[str, Any]
) -> None:
    """Write the maps of a patient's slices, each session as the volume that it was cut from.

    Parameters
    ----------
    folder
        Of the patient.
    slices
        Where the slices lie.
    values
        Of each of `NAMES`, [slice, row, column]. What is no slice is 0.
    fields
        Of all sidecars; see `described`.
    """
    for session, rows, indices in _by_session(slices):
        shape, affine = _grid(slices, session)
        volumes = {}
        for name in NAMES:
            volumes[name] = np.zeros(shape, dtype=values[name].dtype)
            volumes[name][indices] = values[name][rows]
        write_volumes(folder, session, volumes, affine, fields)


def read_map(folder: str | Path, slices: Stack, name: str) -> Array:
    """Read a map back into the slices that it was fitted to.

    Parameters
    ----------
    folder
        Of the patient.
    slices
        Where the slices lie.
    name
        One of `NAMES`.

    Returns
    -------
        [slice, row, column]; see `write_maps`.

    Raises
    ------
    InputError
        If a file is missing or cut short, or lies on another grid than the slices.
    """
    found = np.zeros(slices.body.shape, dtype=KINDS.get(name, np.float32))
    for session, rows, indices in _by_session(slices):
        path = path_of(folder, session, name)
        shape, affine = _grid(slices, session)
        volume, own = to_orientation(*_read(path), "".join(aff2axcodes(affine)))
        if not same_grid(volume.shape, own, shape, affine):
            raise InputError(
                f"{path} lies on another grid than the slices of {session}; delete its folder and "
                "fit the maps again."
            )
        found[rows] = volume[indices]
    return found


def write_description(folder: str | Path, name: str) -> None:
    """Write what makes a folder of maps a BIDS derivative.

    Parameters
    ----------
    folder
        Holds the folders of the patients.
    name
        Of the dataset.
    """
    fields = {"Name": name, "BIDSVersion": "1.10.0", "DatasetType": "derivative"}
    path = Path(folder) / "dataset_description.json"
    write_json(path, {**fields, "GeneratedBy": GENERATED_BY})
    with written_whole(Path(folder) / ".bidsignore") as path:
        path.write_text("".join(f"{pattern}\n" for pattern in IGNORED))


def check_place(folder: str | Path) -> None:
    """Refuse a folder whose description is of another dataset and would be overwritten.

    Raises
    ------
    InputError
        If it is a BIDS dataset that `write_description` has not described.
    """
    path = Path(folder) / "dataset_description.json"
    if path.exists() and read_json(path).get("GeneratedBy") != GENERATED_BY:
        raise InputError(
            f"{folder} is another BIDS dataset; write the maps to a folder of their own, such as "
            f"{Path(folder) / 'derivatives/recontrast'}."
        )


def relative(paths: Listing[str | Path], root: str | Path) -> list[str]:
    """Write paths as seen from a folder, as the field `Sources` wants them."""
    return [Path(os.path.relpath(path, root)).as_posix() for path in paths]


def _by_session(slices: Stack) -> list[tuple[str, Array, Array]]:
    """Give the rows of each session in the stack, and their indices in its volume."""
    sessions, indices = np.array(slices.sessions), np.array(slices.indices)
    rows = {name: np.flatnonzero(sessions == name) for name in dict.fromkeys(slices.sessions)}
    return [(session, own, indices[own]) for session, own in rows.items()]


def _grid(slices: Stack, session: str) -> tuple[tuple[int, int, int], Array]:
    geometry = slices.geometry[session]
    _, rows, columns = slices.body.shape
    return (int(geometry["slices"]), rows, columns), np.array(geometry["affine"], dtype=float)


def _read(path: Path) -> tuple[Array, Array]:
    """Read a map as it was written: NaN and infinity are values of a bound."""
    try:
        image = nibabel.Nifti1Image.from_filename(path)
        return np.asarray(image.dataobj), np.asarray(image.affine)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run the stage fit_maps first.") from None
    except (ImageFileError, OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(
            f"{path} can't be read ({error}); delete its folder and fit the maps again."
        ) from None
