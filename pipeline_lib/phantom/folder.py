"""The folder of a virtual dataset that patients are added to, all of the same settings."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline_lib.errors import InputError
from pipeline_lib.files import read_json
from pipeline_lib.phantom.dataset import VirtualDataset, write_patient
from pipeline_lib.phantom.descriptions import write_descriptions, write_participants

DESCRIPTION, PARTICIPANTS = "dataset_description.json", "participants.tsv"


class DatasetFolder:
    """A BIDS folder with one patient a `sub-` folder, and the truth among its derivatives.

    Parameters
    ----------
    root
        The folder; need not exist.
    options
        What its patients are made from; see `options.simulation_options`.
    """

    def __init__(self, root: Path, options: Mapping[str, Any]) -> None:
        self.root = root
        self.truth = root / "derivatives/truth"
        self.options = options
        self.dataset = VirtualDataset.from_options(options)

    def patients(self) -> list[str]:
        """Name the patients whose scans and truth are both there."""
        names = (path.name for path in self.root.glob("sub-*") if path.is_dir())
        return sorted(name for name in names if (self.truth / name).is_dir())

    def prepare(self, wanted: Sequence[str], overwrite: bool = False) -> list[str]:
        """Check what is there, write the descriptions, and name the patients to keep.

        Nothing but the patients that are wanted is ever removed.

        Parameters
        ----------
        wanted
            Patients that are going to be there.
        overwrite
            They are made anew even if they are there.

        Raises
        ------
        InputError
            If the folder holds something else than a virtual dataset, or patients to keep that
            were made with other settings.
        """
        there = self.patients()
        kept = [name for name in there if not (overwrite and name in wanted)]
        changes = list(differences(self._settings_there(), self.options))
        if kept and changes:
            cure = (
                f"choose another folder, or remove {kept[0]} and what else is not overwritten"
                if overwrite
                else "choose another folder, or add --overwrite"
            )
            raise InputError(
                f"{self.root} holds patients of other settings ({'; '.join(changes)}); {cure}."
            )
        if changes:
            # Gone before the new settings are told: a run that is cut short leaves no old patient.
            for name in there:
                shutil.rmtree(self.root / name)
                shutil.rmtree(self.truth / name)
            there = []
        write_descriptions(self.options, self.root / DESCRIPTION, self.truth / DESCRIPTION)
        write_participants(self.options, there, self.root / PARTICIPANTS)
        return kept

    def add(self, patient: str) -> None:
        """Make a patient, in the place of the one of this name that may be there."""
        write_patient(self.dataset, patient, self.root / patient, self.truth / patient)
        write_participants(self.options, self.patients(), self.root / PARTICIPANTS)

    def _settings_there(self) -> Mapping[str, Any]:
        path = self.root / DESCRIPTION
        if not self.root.exists() or (self.root.is_dir() and not any(self.root.iterdir())):
            return self.options
        content = read_json(path) if path.exists() else None
        if not isinstance(content, dict) or "Simulation" not in content:
            raise InputError(
                f"{self.root} is no folder of virtual patients; choose a new or an empty one."
            )
        return content["Simulation"]


def differences(there: Any, wanted: Any, name: str = "") -> Iterator[str]:
    """Say in words which settings differ between two nested mappings."""
    if isinstance(there, Mapping) and isinstance(wanted, Mapping):
        for key in dict.fromkeys([*there, *wanted]):
            yield from differences(there.get(key), wanted.get(key), f"{name}.{key}".lstrip("."))
    elif there != wanted:
        yield f"{name} is {there} there, {wanted} now"
