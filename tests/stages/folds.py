"""Folders of slices and a split for the stages of the evaluation, and how these are called."""

import json

import pandas as pd


def call(monkeypatch, stage, options, *arguments):
    command = ["stage", "--options", json.dumps(options), *map(str, arguments)]
    monkeypatch.setattr("sys.argv", command)
    stage.main()


def write_stores(folder, patients):
    """Write the slices of patients; the folders carry their names."""
    for slices in patients:
        slices.write(folder / slices.patient)
    return [folder / slices.patient for slices in patients]


def write_split(path, rows):
    """Write (fold, patient, split[, slice, contrast]) as the table of a split."""
    columns = ["fold", "patient", "split", "slice", "contrast"]
    table = pd.DataFrame([[*row, *[""] * (5 - len(row))] for row in rows], columns=columns)
    table.insert(2, "anatomy", table["patient"])
    table.to_csv(path, index=False)
    return path
