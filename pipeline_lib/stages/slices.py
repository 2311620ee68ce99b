"""Cut the registered volumes of a patient into slices, for workers that read at random."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.files import read_json
from pipeline_lib.imaging.scans import read_label_map, read_scan
from pipeline_lib.slices.cut import (
    SessionVolumes,
    SliceSettings,
    common_sequences,
    cut_session,
    join_sessions,
)
from pipeline_lib.stages.command import run_stage, stage_parser


def main() -> None:
    """Cut all sessions of one patient."""
    parser = stage_parser(__doc__)
    parser.add_argument("--registered", type=Path, nargs="+", required=True)
    parser.add_argument("--segmented", type=Path, nargs="+", required=True)
    parser.add_argument("--checked", type=Path, nargs="+", required=True)
    parser.add_argument("--scale", type=Path, required=True, help="what scale wrote")
    parser.add_argument("--patient", required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder to make")
    arguments = parser.parse_args()

    contrasts = list(arguments.options["contrasts"])
    settings = SliceSettings(**arguments.options["slices"])
    scale = float(read_json(arguments.scale / "scale.json")["scale"])
    checked = {folder.name: read_json(folder / "scans.json") for folder in arguments.checked}
    tissues = [read_json(folder / "tissues.json") for folder in arguments.segmented]
    if any(names != tissues[0] for names in tissues):
        raise InputError(
            f"The sessions of {arguments.patient} have segmentations of different tissues; "
            "give all of them the same labels, or exclude a session."
        )
    cut = []
    for registered, segmented in zip(arguments.registered, arguments.segmented, strict=True):
        session = cut_session(read_session(registered, segmented, contrasts), settings, scale)
        logging.info("%s: %d slices", session.session, len(session.indices))
        cut.append(session)
    patient_slices = join_sessions(
        patient=arguments.patient,
        sessions=cut,
        sequences=common_sequences(checked),
        tissue_names={int(label): name for label, name in tissues[0].items()},
        scale=scale,
    )
    patient_slices.write(arguments.output)


class Registered(Mapping[str, np.ndarray]):
    """Registered scans by contrast, each read when asked for: there may be hundreds of them."""

    def __init__(
        self,
        folder: Path,
        contrasts: list[str],
        shape: tuple[int, ...],
        affine: np.ndarray,
        apart: str,
    ) -> None:
        self.folder, self.contrasts = folder, contrasts
        self.shape, self.affine = shape, affine
        self.apart = apart

    def __getitem__(self, contrast: str) -> np.ndarray:
        image, affine = read_scan(self.folder / f"{contrast}.nii.gz")
        if image.shape != self.shape or not np.allclose(self.affine, affine, atol=1e-3):
            raise InputError(self.apart)
        return image

    def __iter__(self) -> Iterator[str]:
        return iter(self.contrasts)

    def __len__(self) -> int:
        return len(self.contrasts)


def read_session(registered: Path, segmented: Path, contrasts: list[str]) -> SessionVolumes:
    """Read the volumes of one session from its folders of the stages before."""
    body, affine = read_label_map(segmented / "body.nii.gz")
    tissues, of_tissues = read_label_map(segmented / "tissues.nii.gz")
    apart = f"{registered} and {segmented} are not on one grid; delete both and run again."
    if tissues.shape != body.shape or not np.allclose(affine, of_tissues, atol=1e-3):
        raise InputError(apart)
    return SessionVolumes(
        session=registered.name,
        images=Registered(registered, contrasts, body.shape, affine, apart),
        body=body,
        tissues=tissues,
        affine=affine,
    )


if __name__ == "__main__":
    run_stage(main)
