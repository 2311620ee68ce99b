"""Alkan 2017's chapter: ratios within each table, and the effects, worked out by hand."""

import pytest

from tests.report.papers.fabricated import (
    cells_of,
    chapter_of,
    part_of,
    request_of,
    rows_of,
    summary_row,
    write_split,
)

MODELS = {
    "shallow": {"system": "alkan", "layers": 3, "tissue_masks": False},
    "deep": {"system": "alkan", "layers": 9, "tissue_masks": False},
    "masked": {"system": "alkan", "layers": 9, "tissue_masks": True},
    "unet_plain": {"system": "unet_plain"},
}
PAIRS = [["T1w", "T2w"]]
EXPERIMENTS = {
    "inside": {"models": ["unet_plain", "shallow", "deep", "masked"], "leaked": "slice"},
    "one": {"models": ["deep", "masked"]},
    "many": {"models": ["deep", "masked"]},
}
METRIC = "alkan2017_mse"


def losses(experiment, model, *values):
    found = {(f"sub-{10 + i}", "T1w", "T2w"): value for i, value in enumerate(values)}
    return rows_of(experiment, model, METRIC, found)


METRICS = [
    *losses("inside", "deep", 0.004),
    *losses("inside", "shallow", 0.010),
    *losses("inside", "masked", 0.003),
    *losses("inside", "look_up_table", 0.008),
    *losses("one", "deep", 0.010, 0.030),
    *losses("one", "masked", 0.012, 0.012),
    *losses("many", "deep", 0.010, 0.020),
]


@pytest.fixture
def chapter(tmp_path):
    experiments = {
        name: {"paper": "alkan2017", "pairs": PAIRS, **values}
        for name, values in EXPERIMENTS.items()
    }
    write_split(tmp_path, "one", train=["sub-1"], validation=["sub-2"], test=["sub-10", "sub-11"])
    write_split(tmp_path, "many", train=["sub-1", "sub-3"], test=["sub-10", "sub-11"])
    request = request_of(experiments, MODELS, contrasts=["T1w", "T2w"])
    summary = [summary_row("inside", "deep", "nrmse", 0.2, n=1)]
    return chapter_of("alkan2017", request, tmp_path, metrics=METRICS, summary=summary)


def test_losses_are_ratios_to_nine_layers_without_masks_of_the_same_table(chapter):
    part = part_of(chapter, "Table 1")
    (table,) = part.tables
    deep = cells_of(table, "9 layers deep")
    assert deep["Published loss"].text == "5177"
    assert deep["Published ratio"].text == "1.00"
    assert deep["Measured loss (10⁻³)"].text == "4.000"
    assert deep["Measured ratio"].text == "1.00"
    assert deep["NRMSE over the body"].text == "0.200 ± 0.010"
    shallow = cells_of(table, "3 layers shallow")
    assert shallow["Published ratio"].text == "2.47"  # 12,795 / 5,177
    assert shallow["Measured ratio"].text == "2.50"
    assert cells_of(table, "Look-up table")["Measured ratio"].text == "2.00"
    # It was trained by nobody: the published number stands alone.
    missing = cells_of(table, "3 layers, masks")
    assert (missing["Published loss"].text, missing["Measured ratio"].text) == ("10664", "–")
    assert "leaked split" in part.text
    assert "leaked" in table.caption


def test_honest_tables_are_told_by_their_number_of_training_patients(chapter):
    two, three = part_of(chapter, "Table 2"), part_of(chapter, "Table 3")
    assert two.tables[0].name.endswith("one") and three.tables[0].name.endswith("many")
    assert "leaked" not in two.text
    # 0.012 / 0.020; published 9,783 / 12,643.
    masked = cells_of(two.tables[0], "9 layers, masks masked")
    assert (masked["Published ratio"].text, masked["Measured ratio"].text) == ("0.77", "0.60")


def test_effects_are_changes_in_per_cent_with_the_patients_that_gain(chapter):
    (table,) = part_of(chapter, "Effects").tables
    masks = cells_of(table, "Masks, 9 layers, one training patient")
    assert [cell.text for cell in masks.values()][1:] == ["−23 %", "−40 %", "1 of 2", "same"]
    depth = cells_of(table, "9 layers for 3, without masks, within one patient")
    assert [cell.text for cell in depth.values()][1:] == ["−60 %", "−60 %", "1 of 1", "same"]
    more = cells_of(table, "Many training patients for one, 9 layers without masks")
    assert [cell.text for cell in more.values()][1:] == ["−28 %", "−25 %", "1 of 2", "same"]
    absent = cells_of(table, "9 layers for 3, with masks, one training patient")
    assert [cell.text for cell in absent.values()][1:] == ["−41 %", "–", "–", "–"]


def test_without_any_evaluation_the_published_numbers_stand_alone(tmp_path):
    request = request_of(
        {"inside": {"paper": "alkan2017", "pairs": PAIRS, **EXPERIMENTS["inside"]}},
        MODELS,
        contrasts=["T1w", "T2w"],
    )
    chapter = chapter_of("alkan2017", request, tmp_path)
    assert "was not evaluated" in part_of(chapter, "Table 1").text
    assert "no experiment of this table" in part_of(chapter, "Table 3").text
    (table,) = part_of(chapter, "Table 3").tables
    assert cells_of(table, "9 layers, masks")["Published ratio"].text == "0.85"
