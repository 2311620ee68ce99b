"""The sessions of a BIDS folder and the names in them; standard library only, as in `bids`."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline_lib.imaging.sidecars import EXTENSIONS


class Session(NamedTuple):
    """One session, by names alone.

    Attributes
    ----------
    name
        `sub-01`, or `sub-01_ses-1`.
    folder
        Its `anat` folder, which need not exist.
    names
        Files in it, sorted.
    inherited
        Names of the JSON files in the folders above it.
    """

    name: str
    folder: Path
    names: list[str]
    inherited: list[str]


def names_in(folder: str | Path) -> tuple[list[str], list[str]]:
    """Names of the folders and of the files in a folder, each sorted."""
    folders: list[str] = []
    files: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            # Names first: a look at the kind of a linked file costs a call to the file system.
            is_file = entry.name.endswith((*EXTENSIONS, ".json", ".tsv"))
            (folders if not is_file and entry.is_dir() else files).append(entry.name)
    return sorted(folders), sorted(files)


def sessions_in(root: Path) -> Iterator[Session]:
    """Give the sessions of all patients (`sub-*`): their `ses-*` folders, or themselves.

    A patient that has both `anat` and `ses-*` folders counts as a session too.
    """
    patients, files = names_in(root)
    at_root = [name for name in files if name.endswith(".json")]
    for patient in patients:
        if not patient.startswith("sub-"):
            continue
        folders, files = names_in(root / patient)
        at_patient = at_root + [name for name in files if name.endswith(".json")]
        sessions = [name for name in folders if name.startswith("ses-")]
        if "anat" in folders or not sessions:
            yield _session(patient, root / patient, folders, at_patient)
        for session in sessions:
            folders, files = names_in(root / patient / session)
            inherited = at_patient + [name for name in files if name.endswith(".json")]
            yield _session(f"{patient}_{session}", root / patient / session, folders, inherited)


def _session(name: str, folder: Path, folders: list[str], inherited: list[str]) -> Session:
    anat = folder / "anat"
    return Session(name, anat, names_in(anat)[1] if "anat" in folders else [], inherited)
