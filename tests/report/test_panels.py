"""Which slice an example shows, and what is cut of it."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.report.choices import Choice
from pipeline_lib.report.panels import Example, Panel, around, held_out_slices

CHOICE = Choice("p", 0, "")


def split(*rows):
    columns = ["fold", "patient", "split", "slice", "contrast"]
    return pd.DataFrame(rows, columns=columns)


def test_of_an_honest_split_every_slice_may_be_shown():
    assert held_out_slices(split((0, "p", "test", "", "")), CHOICE, ("T1w", "T2w")) is None


def test_of_leaked_slices_those_of_the_test_of_that_fold_are_shown():
    rows = split(
        (0, "p", "test", "2", ""), (0, "p", "train", "3", ""), (1, "p", "test", "4", ""),
        (0, "q", "test", "5", ""),
    )  # fmt: skip
    assert held_out_slices(rows, CHOICE, ("T1w", "T2w")) == {2}


def test_of_leaked_images_both_of_a_pair_are_held_out_or_else_the_target():
    rows = split(
        (0, "p", "test", "1", "T2w"), (0, "p", "test", "2", "T2w"), (0, "p", "test", "2", "T1w"),
        (0, "p", "train", "1", "T1w"),
    )  # fmt: skip
    assert held_out_slices(rows, CHOICE, ("T1w", "T2w")) == {2}
    assert held_out_slices(rows, CHOICE, ("PDw", "T2w")) == {1, 2}


def test_a_picture_is_cut_to_the_body_with_a_margin_that_stays_inside():
    body = np.zeros((40, 30), dtype=np.uint8)
    body[10:20, 2:28] = 1
    rows, columns = around(body)
    assert (rows.start, rows.stop) == (6, 24)
    assert body[:, columns].shape == (40, 30)
    assert body[around(np.zeros_like(body))].shape == (40, 30)


@pytest.mark.parametrize(("model", "shown"), [("b", ["s", "t", "b", "error b"]), ("c", [])])
def test_a_strip_has_the_source_the_target_and_one_model(model, shown):
    panels = {name: Panel(name, "", "") for name in ("s", "t", "a", "error a", "b", "error b")}
    groups = tuple(
        (panels[x], panels[y]) for x, y in (("s", "t"), ("a", "error a"), ("b", "error b"))
    )
    example = Example("", "", groups, (), ("a", "b"))
    assert [panel.caption for panel in example.strip(model)] == shown
