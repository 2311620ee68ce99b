"""The files of a virtual dataset that describe it as a whole, as BIDS wants them."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline_lib.files import write_json, written_whole


def write_descriptions(options: Mapping[str, Any], raw: Path, truth: Path) -> None:
    """Write what BIDS wants to know of a dataset, and of the truth as its derivative.

    Parameters
    ----------
    options
        See `options.simulation_options`; the description holds them all, under `Simulation`.
    raw, truth
        The two files, each a `dataset_description.json`.
    """
    name = f"Virtual patients of Recontrast: {options['dataset']}"
    shared = {"BIDSVersion": "1.10.0", "License": "CC0"}
    made_by = {"Name": "Recontrast", "Description": f"seed {options['seed']}"}
    write_json(
        raw,
        {"Name": name, "DatasetType": "raw", **shared, "GeneratedBy": [made_by],
         "Simulation": options},
    )  # fmt: skip
    write_json(
        truth,
        {"Name": f"{name}, the truth", "DatasetType": "derivative", **shared,
         "GeneratedBy": [made_by], "SourceDatasets": [{"URL": "../.."}]},
    )  # fmt: skip


def write_participants(options: Mapping[str, Any], patients: Iterable[str], path: Path) -> None:
    """Write the table of participants that BIDS wants."""
    virtual = options["virtual"]
    with (
        written_whole(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(["participant_id", "anatomy", "field_strength"])
        table.writerows(
            [patient, virtual["anatomy"], virtual["field_strength"]] for patient in patients
        )
