"""Tissue tables."""

import numpy as np
import pytest

from pipeline_lib.quantify.flags import Flag
from pipeline_lib.quantify.tables import COLUMNS, PARAMETERS, core_of_tissue, tissue_table
from pipeline_lib.quantify.volumes import fit_volumes
from pipeline_lib.signal.equations import signal
from tests.quantify.protocols import SIMKO


def test_the_core_leaves_the_outermost_voxels_of_each_slice_out():
    mask = np.zeros((2, 20, 20), dtype=bool)
    mask[0, 5:15, 5:15] = True
    core = core_of_tissue(mask)
    assert core[0].sum() == 64
    assert not core[1].any()


def test_a_thin_tissue_is_kept_whole():
    mask = np.zeros((2, 20, 20), dtype=bool)
    mask[:, 5:7, 2:18] = True
    assert core_of_tissue(mask).sum() == mask.sum()


def test_the_table_gives_each_tissues_values_beside_the_truth():
    truth = {"fat": {"PD": 0.9, "T1": 0.382, "T2": 0.068}}
    tissues = np.zeros((3, 40, 40), dtype=np.uint8)
    tissues[:, 5:20, 5:20], tissues[:, 20:35, 5:35] = 1, 4
    clean = {1: (0.9, 0.382, 0.068), 4: (0.8, 1.412, 0.050)}
    images = np.zeros((5, *tissues.shape))
    for label, values in clean.items():
        images[:, tissues == label] = np.array([signal(s, *values) for s in SIMKO])[:, None]
    images += 0.01 * np.random.default_rng(1).standard_normal(images.shape)
    maps = fit_volumes(images, SIMKO, tissues > 0)
    names = {1: "fat", 4: "muscle", 5: "none"}
    table = tissue_table("sub-001", maps.values, tissues, names, truth)
    assert tuple(table.columns) == COLUMNS
    table = table.set_index(["tissue", "parameter"])
    assert len(table) == 6
    fat = table.loc[("fat", "T1")]
    assert fat["n"] == 3 * 13 * 13
    assert fat["median"] == pytest.approx(0.382, rel=0.01)
    assert fat["truth"] == 0.382
    assert fat["sd"] / fat["mean"] == pytest.approx(fat["bound_relative"], rel=0.15)
    assert fat["converged"] == 1
    muscle = table.loc[("muscle", "T2")]
    assert muscle["mean"] == pytest.approx(0.050, rel=0.01)
    assert np.isnan(muscle["truth"])


def by_hand(bounds, flags):
    """One row of voxels with T1 of 1, 2, 3, ... s."""
    row = np.arange(1.0, len(flags) + 1)[None, None]
    values = dict.fromkeys(PARAMETERS, row)
    values |= {f"{name}_bound": np.array(bounds, dtype=float)[None, None] for name in PARAMETERS}
    values["flag"] = np.array(flags, dtype=np.uint8)[None, None]
    table = tissue_table("sub-1", values, np.ones(row.shape), {1: "fat"})
    return table.set_index("parameter").loc["T1"]


def test_the_bound_is_the_median_voxels_and_ignores_what_is_unknown():
    row = by_hand([0.2, 0.3, np.inf, np.nan, 0.1], [1, 1, Flag.UNIDENTIFIABLE, 1, 1])
    assert row["bound_relative"] == pytest.approx(0.25 / 3)
    assert row["converged"] == 0.8
    assert np.isnan(by_hand([np.nan] * 3, [1] * 3)["bound_relative"])


def test_voxels_that_were_not_fitted_are_no_part_of_a_tissue():
    row = by_hand([0.1] * 4, [Flag.NOT_FITTED, 1, 1, Flag.AT_BOUND])
    assert (row["n"], row["mean"], row["median"]) == (3, 3, 3)
    assert row["sd"] == 1
    assert row["converged"] == pytest.approx(2 / 3)
