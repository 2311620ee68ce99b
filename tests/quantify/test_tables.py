"""Tissue tables."""

import numpy as np
import pytest

from pipeline_lib.quantify.fit import fit
from pipeline_lib.quantify.tables import core_of_tissue, noise_of_residuals, tissue_table
from pipeline_lib.signal.equations import signal
from pipeline_lib.signal.sequences import Sequence

SIMKO = [
    Sequence("SE", 0.075, 4.5),
    Sequence("SE", 0.12, 4.5),
    Sequence("SE", 0.008, 0.4),
    Sequence("SE", 0.008, 0.75),
    Sequence("SE", 0.008, 4.5),
]


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


def test_residuals_give_the_noise_back_even_with_some_bad_voxels():
    rng = np.random.default_rng(0)
    clean = np.array([signal(s, 0.8, 1.4, 0.05) for s in SIMKO])
    cost = fit(clean + 0.01 * rng.standard_normal((20_000, 5)), SIMKO).cost
    assert noise_of_residuals(cost, 5) == pytest.approx(0.01, rel=0.02)
    cost[:1000] = 1.0
    assert noise_of_residuals(cost, 5) == pytest.approx(0.01, rel=0.06)


def test_three_contrasts_leave_no_residual_to_tell_the_noise():
    assert np.isnan(noise_of_residuals(np.zeros(10), 3))


def test_the_table_gives_each_tissues_values_beside_the_truth():
    truth = {"fat": {"PD": 0.9, "T1": 0.382, "T2": 0.068}}
    tissues = np.zeros((3, 40, 40), dtype=np.uint8)
    tissues[:, 5:20, 5:20], tissues[:, 20:35, 5:35] = 1, 4
    rng = np.random.default_rng(1)
    clean = {1: (0.9, 0.382, 0.068), 4: (0.8, 1.412, 0.050)}
    maps = {name: np.zeros(tissues.shape) for name in ("PD", "T1", "T2", "cost")}
    for label, values in clean.items():
        inside = tissues == label
        signals = np.array([signal(s, *values) for s in SIMKO])
        found = fit(signals + 0.01 * rng.standard_normal((inside.sum(), 5)), SIMKO)
        for name, array in zip(maps, (found.pd, found.t1, found.t2, found.cost), strict=True):
            maps[name][inside] = array
    table = tissue_table(
        "sub-001", maps, maps["cost"], tissues, {1: "fat", 4: "muscle", 5: "none"}, SIMKO, truth
    ).set_index(["tissue", "parameter"])
    assert len(table) == 6
    fat = table.loc[("fat", "T1")]
    assert fat["n"] == 3 * 13 * 13
    assert fat["median"] == pytest.approx(0.382, rel=0.01)
    assert fat["truth"] == 0.382
    assert fat["sd"] / fat["mean"] == pytest.approx(fat["bound_relative"], rel=0.15)
    muscle = table.loc[("muscle", "T2")]
    assert muscle["mean"] == pytest.approx(0.050, rel=0.01)
    assert np.isnan(muscle["truth"])
