"""Patients that share jobs, and their folders; standard library only, the Snakefile imports it.

In a job for several patients the folder of a stage holds one of each batch, and this one of each of
its patients or sessions: `results/register/pelvis/batch-0003/sub-007`. With a job for each patient
the middle one is left out: `results/register/pelvis/sub-007`.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

BATCH = r"batch-\d{4}"
_BATCH = re.compile(BATCH)


def batches(patients: Sequence[str], patients_per_job: int) -> dict[str, list[str]]:
    """Deal out patients to jobs.

    The batch of a patient follows from its name and from how many batches there are, a power of
    two: one patient more is one more in one batch, and moves no other until their number doubles.

    Parameters
    ----------
    patients
        Names, each once.
    patients_per_job
        About how many share a job; with 1 each is a batch of its own, named like it.

    Returns
    -------
        {name of the batch: its patients, in the order given}, by name; none is empty.
    """
    if patients_per_job == 1:
        return {patient: [patient] for patient in patients}
    count = 1
    while count * patients_per_job < len(patients):
        count *= 2
    found: dict[str, list[str]] = {}
    for patient in patients:
        drawn = int(hashlib.sha256(patient.encode()).hexdigest(), 16)
        found.setdefault(f"batch-{drawn % count:04d}", []).append(patient)
    return dict(sorted(found.items()))


def is_batch(path: str | Path) -> bool:
    """Tell whether a path is that of a batch."""
    return _BATCH.fullmatch(Path(path).name) is not None


def members_of(folder: Path) -> list[Path]:
    """List the folders of the patients or sessions in that of a batch, by name."""
    return sorted(path for path in folder.glob("sub-*") if path.is_dir())


def single_folders(folders: Iterable[Path]) -> list[Path]:
    """Put in place of batches' folders those of their patients or sessions.

    Those of neighbouring batches are sorted together, so that the order is that of jobs for one
    patient each.
    """
    found: list[Path] = []
    for batched, neighbours in groupby(folders, is_batch):
        if batched:
            members = (member for folder in neighbours for member in members_of(folder))
            found += sorted(members, key=lambda member: member.name)
        else:
            found += neighbours
    return found


def dataset_of(folder: Path) -> str:
    """Name the dataset of a patient's or session's folder of a stage."""
    return folder.parents[1].name if is_batch(folder.parent) else folder.parent.name


def folders_by_name(folder: Path) -> dict[str, Path]:
    """Find the folders of all patients or sessions of a stage and dataset: {name: folder}."""
    found = [path for path in sorted(folder.glob("*")) if is_batch(path)]
    return {path.name: path for path in [*members_of(folder), *single_folders(found)]}
