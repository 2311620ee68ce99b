"""The 2 x 2 table of anatomy and parameters."""

import pandas as pd
import pytest

from pipeline_lib.evaluation.gathering import Gathered
from pipeline_lib.evaluation.generalisation import COLUMNS
from pipeline_lib.evaluation.generalisation import generalisation as generalisation_of
from pipeline_lib.evaluation.tables import KEYS


def row(group, parameters, patient, target, value, **changes):
    keys = ("e", "d", "unet", 0, group, parameters, patient, "a", target, "body", "mae")
    return dict(zip(KEYS, keys, strict=True), value=value, data_range=1.0) | changes


TABLE = [
    row("test", "seen", "x", "b", 1.0),
    row("test", "seen", "x", "c", 3.0),
    row("test", "seen", "y", "b", 4.0),
    row("test", "seen", "y", "c", 8.0),
    row("test", "unseen", "x", "u", 10.0),
    row("test", "unseen", "y", "u", 20.0),
    row("seen", "seen", "z", "b", 0.5),
    row("seen", "seen", "z", "c", 1.5),
    row("seen", "unseen", "z", "u", 7.0),
]
NOT_COUNTED = [
    row("test", "seen", "x", "a", 100.0),  # the diagonal
    row("test", "seen", "x", "b", 100.0, region="fat"),
    row("external", "seen", "w", "b", 100.0),
]


def generalisation(table, *arguments):
    return generalisation_of(Gathered([table]).cells, *arguments)


def cell(table, group, parameters):
    return table[(table["group"] == group) & (table["parameters"] == parameters)].iloc[0]


def test_four_cells_by_hand():
    table = generalisation(pd.DataFrame(TABLE + NOT_COUNTED), 200, 0)
    assert list(table.columns) == COLUMNS
    assert len(table) == 4
    known = cell(table, "test", "seen")
    assert (known["n"], known["mean"]) == (2, 4)  # of 2 and 6
    assert known["sd"] == pytest.approx(8**0.5)
    assert 2 <= known["low"] < known["high"] <= 6
    assert cell(table, "test", "unseen")["mean"] == 15
    assert (cell(table, "seen", "seen")["n"], cell(table, "seen", "seen")["mean"]) == (1, 1)
    assert cell(table, "seen", "unseen")["mean"] == 7


def test_a_patient_seen_in_two_folds_is_one():
    twice = [
        *TABLE,
        row("seen", "unseen", "z", "u", 9.0, fold=1),
        row("seen", "unseen", "v", "u", 2.0),
    ]
    found = cell(generalisation(pd.DataFrame(twice), 100, 0), "seen", "unseen")
    assert (found["n"], found["mean"]) == (2, 5)  # of 8 and 2


@pytest.mark.parametrize(
    ("kept", "cells"),
    [
        ([("test", "seen")], 0),
        ([("test", "seen"), ("test", "unseen")], 2),
        ([("test", "seen"), ("seen", "seen")], 2),
        ([("test", "seen"), ("external", "seen")], 0),
    ],
)
def test_only_experiments_that_are_divided_have_rows(kept, cells):
    rows = [each for each in TABLE + NOT_COUNTED if (each["group"], each["parameters"]) in kept]
    table = generalisation(pd.DataFrame(rows), 100, 0)
    assert len(table) == cells
    assert list(table.columns) == COLUMNS
