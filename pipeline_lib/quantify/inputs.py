"""Scans for a fit by hand: their sequences, one grid for all, and where to fit."""

import re
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as Listing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.orientations import aff2axcodes

from pipeline_lib.errors import InputError, did_you_mean
from pipeline_lib.imaging.bids import SUFFIXES, patient_of
from pipeline_lib.imaging.masks import body_mask
from pipeline_lib.imaging.scans import (
    read_label_map,
    read_scan,
    same_grid,
    spacing_of,
    to_orientation,
)
from pipeline_lib.imaging.sidecars import (
    EXTENSIONS,
    inherited_sidecars,
    needs_sidecar,
    read_labels,
    read_sequence,
    sidecar_of,
    stem_of,
)
from pipeline_lib.signal.sequences import Sequence

Array = np.ndarray

SESSION = re.compile(r"(sub-[A-Za-z0-9]+(?:_ses-[A-Za-z0-9]+)?)_")
NAMELESS = "sub-01"  # a patient whose scans are not named after BIDS
# Axes [slice, row, column] for slices that lie along each axis of the body, as radiologists look at
# them: row 0 is on top and column 0 on the left of a picture.
VIEWS = {"S": "SPL", "A": "AIL", "R": "RIP"}
OPPOSITE = {"I": "S", "P": "A", "L": "R"}


@dataclass(frozen=True)
class Scans:
    """The scans of one session, all on one grid.

    Attributes
    ----------
    session
        `sub-01_ses-1`.
    sequences
        Of each contrast, which is called as its scan without the session.
    images
        float32 [contrast, slice, row, column].
    affine
        [4, 4], from (slice, row, column) to millimetres, RAS+.
    paths
        Of each contrast.
    own_shape, own_affine
        The grid [x, y, z] of the files.
    """

    session: str
    sequences: Mapping[str, Sequence]
    images: Array
    affine: Array
    paths: tuple[Path, ...]
    own_shape: tuple[int, ...]
    own_affine: Array

    @property
    def patient(self) -> str:
        """`sub-01` of the session `sub-01_ses-1`."""
        return patient_of(self.session)

    def region(self, mask: Path | None, tissues: Path | None) -> "Region":
        """Say where to fit: in the tissues, within the mask, or in the body where there is neither.

        The body is found in the mean of all contrasts, each as bright as the others.

        Parameters
        ----------
        mask, tissues
            NIfTI files with labels; names of tissues lie beside their file, or are their numbers.

        Raises
        ------
        InputError
            If one of them is bad or lies on another grid than the scans, or no body is found.
        """
        if mask:
            inside = self._labels(mask) > 0
        elif tissues:
            inside = np.ones(self.images.shape[1:], dtype=bool)
        else:
            brightest = self.images.max(axis=(1, 2, 3), keepdims=True)
            inside = body_mask((self.images / brightest).mean(axis=0), spacing_of(self.affine))
        if not tissues:
            return Region(inside, inside.astype(np.uint8), {1: "mask" if mask else "body"})
        labels = self._labels(tissues)
        names = _names_of(tissues, labels)
        return Region(inside & np.isin(labels, list(names)), labels, names)

    def _labels(self, path: Path) -> Array:
        array, affine = read_label_map(path)
        _check_grid(path, array.shape, affine, self.paths[0], self.own_shape, self.own_affine)
        return _viewed(array, self.own_affine)[0]


@dataclass(frozen=True)
class Region:
    """Where to fit.

    Attributes
    ----------
    inside
        bool [slice, row, column].
    tissues
        Labels, [slice, row, column].
    names
        Name of each label; `mask` or `body` where no tissues are known.
    """

    inside: Array
    tissues: Array
    names: Mapping[int, str]


def find_scans(words: Iterable[Path]) -> list[Path]:
    """Find the scans that a command line names.

    Parameters
    ----------
    words
        NIfTI files, and folders of a patient or session of a BIDS dataset, each of which stands
        for its scans.

    Raises
    ------
    InputError
        If a folder holds no scan that is named after BIDS, or two files are of one name.
    """
    found: list[Path] = []
    for word in words:
        if not word.is_dir():
            found.append(word)
            continue
        inside = sorted(
            path
            for folder in (word, word / "anat")
            for path in (folder.iterdir() if folder.is_dir() else ())
            if path.name.endswith(EXTENSIONS) and stem_of(path).split("_")[-1] in SUFFIXES
        )
        if not inside:
            raise InputError(
                f"{word} holds no scan that is named after BIDS (sub-01_T1w.nii.gz), in itself or "
                "in anat; name the scans one by one, or the folder of a patient or of a session."
            )
        found += inside
    stems = [stem_of(path) for path in found]
    for place, stem in enumerate(stems):
        if stem in stems[:place]:
            raise InputError(
                f"{found[place]} and {found[stems.index(stem)]} have one name; rename one of them, "
                "because maps and options go by the names of the scans."
            )
    return found


def read_scans(paths: Listing[Path], sequences: Mapping[str, Mapping[str, Any]]) -> Scans:
    """Read scans that are to be fitted together.

    Parameters
    ----------
    paths
        NIfTI files.
    sequences
        `sequence`, `te`, `tr`, `ti` and `te_last` (s) of scans by name, which come before those of
        their sidecars; see `by_contrast`.

    Raises
    ------
    InputError
        If a scan or its sidecar is missing or bad, or lies on another grid than the first, or the
        scans are of several sessions.
    """
    session = _session_of(paths)
    own = by_contrast(sequences, paths, session, "--sequence")
    found: dict[str, Sequence] = {}
    volumes: list[Array] = []
    shape: tuple[int, ...] = ()
    grid = affine = np.eye(4)
    for path in paths:
        contrast = _contrast_of(path, session)
        found[contrast] = _sequence_of(path, contrast, own.get(contrast, {}))
        array, own_affine = read_scan(path)
        if not volumes:
            shape, grid = array.shape, own_affine
        _check_grid(path, array.shape, own_affine, paths[0], shape, grid)
        turned, affine = _viewed(array, grid)
        volumes.append(turned)
    return Scans(session, found, np.stack(volumes), affine, tuple(paths), shape, grid)


def by_contrast(
    options: Mapping[str, Any], paths: Iterable[Path], session: str, option: str
) -> dict[str, Any]:
    """Give the values of an option by contrast.

    Parameters
    ----------
    options
        By the name of a scan's file, with or without extension, session and folder.
    paths
        Of all scans.
    session
        That the scans are of.
    option
        Its name, for the sentence about a name that is of no scan.

    Raises
    ------
    InputError
        If a name is of no scan.
    """
    contrasts = [_contrast_of(path, session) for path in paths]
    found = {}
    for name, value in options.items():
        contrast = _contrast_of(Path(name), session)
        if contrast not in contrasts:
            raise InputError(
                f"{option} names {name}, which is none of the scans {', '.join(contrasts)}"
                f"{did_you_mean(contrast, contrasts)}; correct the name or take it out."
            )
        found[contrast] = value
    return found


def _contrast_of(path: Path, session: str) -> str:
    return stem_of(path).removeprefix(f"{session}_")


def _session_of(paths: Iterable[Path]) -> str:
    matches = [SESSION.match(path.name) for path in paths]
    names = list(dict.fromkeys(match[1] if match else NAMELESS for match in matches))
    if len(names) > 1:
        raise InputError(
            f"the scans are of several patients or sessions ({', '.join(names)}); fit one at a "
            "time."
        )
    return names[0]


def _sequence_of(path: Path, contrast: str, own: Mapping[str, Any]) -> Sequence:
    sidecar = sidecar_of(path)
    if needs_sidecar(own) and not sidecar.exists() and not inherited_sidecars(path):
        raise InputError(
            f"{path} has no sidecar {sidecar.name}; add it with EchoTime and RepetitionTime in "
            f"seconds, or give them: --sequence {contrast}=SE,te=0.08,tr=4.5"
        )
    return read_sequence(sidecar, own)


def _check_grid(
    path: str | Path,
    shape: tuple[int, ...],
    affine: Array,
    first: Path,
    first_shape: tuple[int, ...],
    first_affine: Array,
) -> None:
    if same_grid(shape, affine, first_shape, first_affine):
        return
    sizes = [" x ".join(map(str, each)) for each in (shape, first_shape)]
    what = (
        f"has {sizes[0]} voxels but {first} {sizes[1]}"
        if tuple(shape) != tuple(first_shape)
        else f"lies elsewhere in the scanner than {first}"
    )
    raise InputError(
        f"{path} {what}; bring all to one grid, by registering them to one scan, before the fit."
    )


def _viewed(array: Array, affine: Array) -> tuple[Array, Array]:
    """Turn a volume [x, y, z] to [slice, row, column], the slices along its coarsest axis."""
    spacing = np.array(spacing_of(affine))
    # Cubes have no slices; they are shown along the third axis, as most files are ordered.
    along = 2 if np.ptp(spacing) < 0.01 * spacing.max() else int(spacing.argmax())
    code = aff2axcodes(affine)[along]
    return to_orientation(array, affine, VIEWS[OPPOSITE.get(code, code)])


def _names_of(path: Path, labels: Array) -> dict[int, str]:
    """Give the names of the labels of a segmentation: those beside it, else the numbers."""
    stem = path.with_name(stem_of(path))
    if any(stem.with_name(f"{stem.name}{ending}").exists() for ending in (".tsv", ".json")):
        return read_labels(path)
    return {int(label): f"label {label}" for label in np.unique(labels) if label > 0}
