"""The slices of one patient on disk, in files that many workers read at random.

They are uncompressed .npy, memory-mapped: two workers read single slices at random more than
fifteen times faster than from zarr with a chunk a slice, and more than two hundred times faster
than from .nii.gz (measured with benchmarks/slice_reads.py), for 2.5 times the space on disk.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.files import folder_written_whole, read_json, write_json
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.lazily import Lazily


@dataclass(frozen=True)
class PatientSlices:
    """The slices of one patient, all sessions one after the other.

    Attributes
    ----------
    patient
        `sub-001`.
    contrasts
        Sequence of each contrast, in the order of the axis `contrast` of `images`.
    images
        float32 [slice, contrast, row, column], in units of the patient's scale, not clipped.
    body
        uint8 [slice, row, column], 1 within the body.
    tissues
        uint8 [slice, row, column], the labels of `tissue_names`, 0 elsewhere.
    tissue_names
        Name of each label in `tissues`, empty where no tissues are known.
    sessions
        Session of each slice.
    indices
        Index of each slice in its session's volume, along the axis that was sliced.
    scale
        Raw units that became 1.0.
    spacing
        Distance of rows and of columns in millimetres.
    geometry
        For each session what puts a slice back into its volume; see `slices.cut`.
    """

    patient: str
    contrasts: Mapping[str, Sequence]
    images: np.ndarray
    body: np.ndarray
    tissues: np.ndarray
    tissue_names: Mapping[int, str]
    sessions: tuple[str, ...]
    indices: tuple[int, ...]
    scale: float
    spacing: tuple[float, float]
    geometry: Mapping[str, Mapping[str, Any]]

    def __post_init__(self) -> None:
        count, contrasts, rows, columns = self.images.shape
        if contrasts != len(self.contrasts):
            raise ValueError(f"{contrasts} images a slice for {len(self.contrasts)} contrasts")
        for name in ("body", "tissues"):
            if getattr(self, name).shape != (count, rows, columns):
                raise ValueError(f"{name} has not the shape {(count, rows, columns)}")
        if not count == len(self.sessions) == len(self.indices):
            raise ValueError(f"{count} slices need as many sessions and indices")

    def __len__(self) -> int:
        return len(self.sessions)

    @classmethod
    def open(cls, folder: str | Path) -> "PatientSlices":
        """Open a patient's folder; the arrays are memory-mapped, read only, when touched.

        Raises
        ------
        InputError
            If a file is missing, cut short, or does not fit the others.
        """
        folder = Path(folder)
        header = read_json(folder / "slices.json")
        try:
            return cls(
                patient=header["patient"],
                contrasts={
                    name: Sequence.from_mapping(values)
                    for name, values in header["contrasts"].items()
                },
                images=_mapped(folder / "images.npy"),
                body=_mapped(folder / "body.npy"),
                tissues=_mapped(folder / "tissues.npy"),
                tissue_names={int(label): name for label, name in header["tissues"].items()},
                sessions=tuple(origin["session"] for origin in header["slices"]),
                indices=tuple(origin["index"] for origin in header["slices"]),
                scale=header["scale"],
                spacing=tuple(header["spacing"]),
                geometry=header["geometry"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{folder} is no folder of slices that fits together ({error}); "
                "delete it and run again."
            ) from None

    def write(self, folder: str | Path) -> None:
        """Write all files to `folder`, whole or not at all."""
        with folder_written_whole(folder) as temporary:
            np.save(temporary / "images.npy", self.images.astype(np.float32, copy=False))
            np.save(temporary / "body.npy", self.body.astype(np.uint8, copy=False))
            np.save(temporary / "tissues.npy", self.tissues.astype(np.uint8, copy=False))
            origins = zip(self.sessions, self.indices, strict=True)
            write_json(
                temporary / "slices.json",
                {
                    "patient": self.patient,
                    "scale": self.scale,
                    "spacing": list(self.spacing),
                    "contrasts": {name: s.to_mapping() for name, s in self.contrasts.items()},
                    "tissues": {str(label): name for label, name in self.tissue_names.items()},
                    "slices": [{"session": session, "index": index} for session, index in origins],
                    "geometry": self.geometry,
                },
            )


def opened(folders: Iterable[Path], kept: int = 1) -> Lazily[Path, PatientSlices]:
    """Give the slices of many patients, of whom the `kept` last ones asked for stay open."""
    return Lazily(folders, PatientSlices.open, kept)


def _mapped(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; delete its folder and run again.") from None
