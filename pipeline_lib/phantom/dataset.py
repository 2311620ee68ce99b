"""The patients of a virtual dataset on disk: raw scans in BIDS, and the truth about each."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline_lib.files import folder_written_whole, write_json
from pipeline_lib.imaging.bids import scan_name
from pipeline_lib.imaging.scans import write_scan
from pipeline_lib.imaging.sidecars import FIELDS, TRAIN_FIELDS
from pipeline_lib.phantom.cohort import VirtualSettings, streams, virtual_patient
from pipeline_lib.phantom.patient import VirtualPatient
from pipeline_lib.phantom.scanner import Session, measure
from pipeline_lib.phantom.truth import truth_of
from pipeline_lib.signal.sequences import Sequence


@dataclass(frozen=True)
class VirtualDataset:
    """What the patients of a dataset have in common.

    Attributes
    ----------
    name, seed
        What each patient is drawn from, besides its own name.
    settings
        Of anatomy and scanner.
    sequences
        By name of contrast.
    reference
        The contrast in which no patient has moved, and which sets gain and noise.
    """

    name: str
    seed: int
    settings: VirtualSettings
    sequences: Mapping[str, Sequence]
    reference: str

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> "VirtualDataset":
        """Read what `options.simulation_options` gives."""
        return cls(
            options["dataset"],
            options["seed"],
            VirtualSettings.from_options(options["virtual"]),
            {name: Sequence.from_mapping(values) for name, values in options["contrasts"].items()},
            options["reference"],
        )


def write_patient(dataset: VirtualDataset, name: str, raw: Path, truth: Path) -> None:
    """Draw a patient, measure it, and write two folders, each whole or not at all.

    The bytes depend on the dataset and the patient's name alone.

    Parameters
    ----------
    dataset
        See `VirtualDataset`.
    name
        Of the patient: `sub-001`.
    raw
        Folder for its scans; each is written as it comes.
    truth
        Folder for what is true of it: maps of PD, T1 (s), T2 (s) and tissues; the coil's field,
        and where the scanner has them TB1map (actual over nominal flip angle) and B0map (ppm);
        tissue values, gain, noise, motion.

    Raises
    ------
    InputError
        See `cohort.virtual_patient` and `scanner.measure`.
    """
    settings, seeds = dataset.settings, streams(dataset.seed, dataset.name, name)
    patient = virtual_patient(settings, seeds)
    session = measure(
        patient, dataset.sequences, dataset.reference, settings.scanner, seeds["scanner"]
    )
    with folder_written_whole(truth) as of_truth, folder_written_whole(raw) as of_scans:
        for contrast, image in session.scans():
            sequence = dataset.sequences[contrast]
            stem = of_scans / "anat" / scan_name(name, contrast, sequence)
            write_scan(f"{stem}.nii.gz", image, patient.grid.affine)
            write_json(f"{stem}.json", sidecar(sequence, settings))
        _write_truth(of_truth, name, patient, session)
        tissues = {tissue: asdict(values) for tissue, values in patient.tissues.items()}
        write_json(of_truth / f"{name}_truth.json", _facts(settings, seeds, tissues, session))


def sidecar(sequence: Sequence, settings: VirtualSettings) -> dict[str, Any]:
    """Give the BIDS sidecar of a scan."""
    values = asdict(sequence)
    train = TRAIN_FIELDS if sequence.echoes else {}
    return {
        **{field: values[key] for key, field in FIELDS.items() if values[key] is not None},
        **{field: values[key] for key, field in train.items()},
        "SliceThickness": settings.slice_thickness or settings.spacing[2],
        "MagneticFieldStrength": settings.field_strength,
        "PulseSequenceType": sequence.kind,
        "Manufacturer": "Recontrast's virtual scanner",
    }


def _write_truth(folder: Path, name: str, patient: VirtualPatient, session: Session) -> None:
    affine = patient.grid.affine
    truth = truth_of(patient, session.scanner.slice_thickness)
    for kind, values in (("PD", truth.pd), ("T1", truth.t1), ("T2", truth.t2)):
        write_scan(folder / f"{name}_{kind}map.nii.gz", values, affine)
    write_scan(folder / f"{name}_dseg.nii.gz", truth.labels, affine, dtype="uint8")
    write_json(folder / f"{name}_dseg.json", truth.names)
    write_scan(folder / f"{name}_biasfield.nii.gz", session.field, affine)
    if session.b1 is not None:
        write_scan(folder / f"{name}_TB1map.nii.gz", patient.grid.averaged(session.b1), affine)
    if session.b0 is not None:
        write_scan(folder / f"{name}_B0map.nii.gz", session.b0, affine)


def _facts(
    settings: VirtualSettings,
    seeds: Mapping[str, list[int]],
    tissues: Mapping[str, Any],
    session: Session,
) -> dict[str, Any]:
    """Give what is true of a patient and its session, besides the maps."""
    return {
        "anatomy": settings.anatomy,
        "field_strength": settings.field_strength,
        "seed": dict(seeds),
        "tissues": dict(tissues),
        "noise_sigma": session.sigma,
        "gain": session.gain,
        "motion": {contrast: matrix.tolist() for contrast, matrix in session.motion.items()},
    }
