"""The raw scans of a dataset of any kind, known before any job starts.

Standard library only, because the Snakefile imports it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline_lib.batches import batches
from pipeline_lib.checks import kind_of
from pipeline_lib.imaging.bids import find_patients, find_scans, patient_of, scan_name
from pipeline_lib.phantom.options import patient_names
from pipeline_lib.signal.sequences import Sequence

RawScans = dict[str, dict[str, str | Path]]


def batches_of(
    dataset: Mapping[str, Any], raw_scans: RawScans, patients_per_job: int
) -> dict[str, list[str]]:
    """Deal out the patients of a dataset to jobs; see `batches.batches`. Pictures are of one.

    Parameters
    ----------
    dataset
        Its section of the complete configuration.
    raw_scans
        Of its sessions.
    patients_per_job
        Of the configuration.
    """
    patients = list(dict.fromkeys(map(patient_of, raw_scans)))
    return batches(patients, 1 if kind_of(dataset) == "pictures" else patients_per_job)


def find_raw_scans(name: str, dataset: Mapping[str, Any], patients_per_job: int) -> RawScans:
    """Find the raw scans of a dataset, or say where the workflow will make them.

    Parameters
    ----------
    name, dataset
        Of the dataset: its name, and its section of the complete configuration.
    patients_per_job
        Of the configuration: the folders of patients who share jobs lie in that of their batch.

    Returns
    -------
        {session: {contrast: path}}; paths relative to the working directory where the
        configuration's are, and those of scans that the workflow makes.

    Raises
    ------
    InputError
        If a BIDS or DICOM folder or a scan in it is missing.
    """
    contrasts, kind = dataset["contrasts"], kind_of(dataset)
    if kind == "pictures":
        root = Path(dataset["pictures"]["root"])
        return {f"sub-{name}": {c: root / values["file"] for c, values in contrasts.items()}}
    if kind == "bids":
        found = find_scans(
            dataset["bids"]["root"], contrasts, dataset["reference"], dataset["exclude"]
        )
        return {session: {**scans} for session, scans in found.items()}
    if kind == "virtual":
        patients = patient_names(dataset)
        folder, sequences = f"results/simulate/{name}", contrasts
    else:
        patients = list(find_patients(dataset["dicom"]["root"]))
        folder, sequences = f"results/convert_dicom/{name}", {}
    names = {
        contrast: Sequence.from_mapping(sequences[contrast]) if sequences else None
        for contrast in contrasts
    }
    chosen = [patient for patient in patients if patient not in dataset["exclude"]]
    places = {
        patient: patient if batch == patient else f"{batch}/{patient}"
        for batch, members in batches(chosen, patients_per_job).items()
        for patient in members
    }
    # Texts, because as many paths take half a second longer to make for 10,000 patients.
    return {
        patient: {
            contrast: f"{folder}/{places[patient]}/anat/{scan_name(patient, contrast, of)}.nii.gz"
            for contrast, of in names.items()
        }
        for patient in chosen
    }
