import csv
import json
import sys

import numpy as np

from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.stages import unpair


def test_the_table_has_a_row_for_every_slice_and_contrast(monkeypatch, tmp_path):
    folders = []
    for patient in ("sub-01", "sub-02"):
        folders.append(str(tmp_path / patient))
        PatientSlices(
            patient=patient,
            contrasts={name: Sequence("SE", 0.01, 1.0) for name in ("T1w", "PDw")},
            images=np.zeros((3, 2, 16, 16), np.float32),
            body=np.zeros((3, 16, 16), np.uint8),
            tissues=np.zeros((3, 16, 16), np.uint8),
            tissue_names={},
            sessions=(patient,) * 3,
            indices=(0, 1, 2),
            scale=1.0,
            spacing=(1.0, 1.0),
            geometry={},
        ).write(folders[-1])
    options = json.dumps({"seed": 1, "unpairing": {"mode": "disjoint", "max_shift": 4}})
    output = tmp_path / "unpaired.csv"
    arguments = ["unpair", "--slices", *folders, "--output", str(output), "--options", options]
    monkeypatch.setattr(sys, "argv", arguments)
    unpair.main()
    with output.open(newline="") as file:
        rows = list(csv.DictReader(file))
    keys = {(row["patient"], row["slice"], row["contrast"]) for row in rows}
    assert len(rows) == len(keys) == 12
    assert all(abs(int(row["shift_rows"])) <= 4 for row in rows)
    assert sorted({(row["patient"], row["contrast"]) for row in rows if row["kept"] == "1"}) in (
        [("sub-01", "T1w"), ("sub-02", "PDw")],
        [("sub-01", "PDw"), ("sub-02", "T1w")],
    )
