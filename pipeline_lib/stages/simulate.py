"""Simulate one virtual patient: its raw scans in BIDS, and the truth about it."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline_lib.files import folder_written_whole, write_json
from pipeline_lib.imaging.bids import scan_name
from pipeline_lib.imaging.scans import write_scan
from pipeline_lib.phantom.cohort import VirtualSettings, streams, virtual_patient
from pipeline_lib.phantom.scanner import Session, measure
from pipeline_lib.phantom.truth import truth_of
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.stages.command import run_stage, stage_parser


def main() -> None:
    """Draw a patient, measure it, and write scans and truth."""
    parser = stage_parser(__doc__)
    parser.add_argument("--patient", required=True, help="name of the patient, sub-001")
    parser.add_argument("--output", type=Path, required=True, help="folder of the raw scans")
    parser.add_argument("--truth", type=Path, required=True, help="folder of the truth")
    arguments = parser.parse_args()
    options, name = arguments.options, arguments.patient

    settings = VirtualSettings.from_options(options["virtual"])
    seeds = streams(options["seed"], options["dataset"], name)
    sequences = {
        contrast: Sequence.from_mapping(values) for contrast, values in options["contrasts"].items()
    }
    patient = virtual_patient(settings, seeds)
    reference = options["reference"]
    session = measure(patient, sequences, reference, settings.scanner, seeds["scanner"])
    affine = patient.grid.affine

    with folder_written_whole(arguments.output) as folder:
        for contrast, sequence in sequences.items():
            stem = folder / "anat" / scan_name(name, contrast, sequence)
            write_scan(f"{stem}.nii.gz", session.images[contrast], affine)
            write_json(f"{stem}.json", sidecar(sequence, settings.field_strength))
    with folder_written_whole(arguments.truth) as folder:
        truth = truth_of(patient)
        for kind, values in (("PD", truth.pd), ("T1", truth.t1), ("T2", truth.t2)):
            write_scan(folder / f"{name}_{kind}map.nii.gz", values, affine)
        write_scan(folder / f"{name}_dseg.nii.gz", truth.labels, affine, dtype="uint8")
        write_json(folder / f"{name}_dseg.json", truth.names)
        write_scan(folder / f"{name}_biasfield.nii.gz", session.field, affine)
        tissues = {tissue: asdict(values) for tissue, values in patient.tissues.items()}
        write_json(folder / f"{name}_truth.json", description(settings, seeds, tissues, session))


def sidecar(sequence: Sequence, field_strength: float) -> dict[str, Any]:
    """Give the BIDS sidecar of a scan."""
    fields = {
        "EchoTime": sequence.te,
        "RepetitionTime": sequence.tr,
        "InversionTime": sequence.ti,
        "EchoTrainLastEchoTime": sequence.te_last,
        "MagneticFieldStrength": field_strength,
        "PulseSequenceType": sequence.kind,
        "Manufacturer": "Recontrast's virtual scanner",
    }
    return {field: value for field, value in fields.items() if value is not None}


def description(
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


if __name__ == "__main__":
    run_stage(main)
