"""Narang 2022's chapter: both splits beside the published numbers, and the look-up table."""

import pytest

from tests.report.papers.fabricated import (
    cells_of,
    chapter_of,
    part_of,
    request_of,
    rows_of,
    summary_row,
)

CONTRASTS = ["default", "a", "b"]
FROM_DEFAULT = [["default", name] for name in CONTRASTS]
MODELS = {
    "net": {"system": "paramnet", "conditioning": "planes"},
    "film": {"system": "paramnet_film", "conditioning": "film"},
    "unet": {"system": "unet"},
}
EXPERIMENTS = {
    "honest": {"models": ["unet", "net"], "pairs": FROM_DEFAULT, "unseen": ["b"],
               "external": ["brainweb"]},
    "leaked": {"models": ["net"], "pairs": FROM_DEFAULT, "leaked": "image"},
    "any": {"models": ["net", "film", "unet"]},
}  # fmt: skip


def scores(experiment, model, first, second, group="test"):
    """PSNR and mean absolute difference of two pairs, and of the default from itself."""
    values = {("sub-1", "default", "a"): first, ("sub-1", "default", "b"): second,
              ("sub-1", "default", "default"): 99.0}  # fmt: skip
    return [
        *rows_of(experiment, model, "narang2022_psnr", values, group=group),
        *rows_of(experiment, model, "narang2022_mae", values, group=group),
    ]


METRICS = [
    *scores("leaked", "net", 29.0, 31.0),
    *scores("leaked", "nearest_copy", 30.0, 34.0),
    *scores("honest", "net", 20.0, 22.0),
    *scores("honest", "look_up_table", 23.0, 25.0),
    *scores("honest", "net", 15.0, 17.0, group="external"),
    *scores("honest", "do_nothing", 20.0, 23.0, group="external"),
    *scores("any", "film", 18.0, 18.0),
]


def comparison(model, difference, low, high, n=6, experiment="honest"):
    return {"experiment": experiment, "metric": "nrmse", "first": model, "n": n, "low": low,
            "second": "look_up_table", "difference": difference, "high": high, "effect": 0.0,
            "wins": 3, "p": 0.5, "p_holm": 0.5}  # fmt: skip


def cell(model, group, parameters, mean):
    return {"experiment": "honest", "dataset": "d", "model": model, "group": group,
            "parameters": parameters, "metric": "nrmse", "n": 2, "mean": mean, "sd": 0.02,
            "low": mean - 0.1, "high": mean + 0.1}  # fmt: skip


def made(tmp_path, names=tuple(EXPERIMENTS), **frames):
    experiments = {name: {"paper": "narang2022", **EXPERIMENTS[name]} for name in names}
    request = request_of(experiments, MODELS, contrasts=CONTRASTS)
    return chapter_of("narang2022", request, tmp_path, **frames)


@pytest.fixture
def chapter(tmp_path):
    return made(
        tmp_path,
        metrics=METRICS,
        summary=[summary_row("honest", "net", "nrmse", 0.3)],
        external=[summary_row("honest", "net", "nrmse", 0.5)],
        comparisons=[comparison("net", 0.05, 0.01, 0.09), comparison("unet", -0.1, -0.2, -0.05)],
        generalisation=[cell("net", "seen", "seen", 0.2), cell("net", "test", "unseen", 0.6)],
    )


def test_table_1_has_published_leaked_and_honest_side_by_side(chapter):
    part = part_of(chapter, "Table 1: Default-to-Param")
    (table,) = part.tables
    own = cells_of(table, "net")
    assert own["PSNR (dB), published"].text == "30.34 ± 1.04"
    assert own["PSNR (dB), leaked split"].text == "30.00 ± 1.41"
    assert own["PSNR (dB), honest split"].text == "21.00 ± 1.41"
    assert own["mean absolute difference, published"].text == "5.25 ± 1.74"
    assert own["NRMSE over the body, honest split"].text == "0.300 ± 0.010"
    copy = cells_of(table, "Nearest training image")
    assert copy["PSNR (dB), leaked split"].text == "32.00 ± 2.83"
    assert copy["PSNR (dB), published"].text == "–"
    assert "net has 30.00 dB on the leaked split and 21.00 dB on the honest one" in part.text
    assert "a copy of the nearest training image has 32.00 dB" in part.text
    assert "leaked split: images of the same patient are in training and test" in part.text
    assert "a copy of the nearest training image scored 29.7 to 32.1 dB" in part.text


def test_the_published_numbers_are_those_of_the_papers_network_not_of_its_variant(chapter):
    part = part_of(chapter, "Table 1: Param-to-Param")
    (table,) = part.tables
    assert cells_of(table, "net")["PSNR (dB), published"].text == "24.80 ± 1.68"
    film = cells_of(table, "film")
    assert film["PSNR (dB), published"].text == "–"
    assert film["PSNR (dB), honest split"].text == "18.00 ± 0.00"
    assert "no Param-to-Param experiment on the leaked split" in part.text


def test_each_system_is_told_whether_it_beats_the_look_up_table(chapter):
    text = part_of(chapter, "Is it better").text
    assert (
        "Default-to-Param, net is worse than the look-up table: NRMSE +0.050, 95 % interval "
        "0.010 to 0.090, n = 6 heads." in text
    )
    assert "Default-to-Param, unet beats the look-up table: NRMSE −0.100" in text


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (comparison("net", 0.01, -0.1, 0.1), "net can't be told from the look-up table"),
        (comparison("net", 0.01, float("nan"), float("nan"), n=1), "n = 1 head, so no interval"),
    ],
)
def test_an_unsure_comparison_is_called_so(tmp_path, row, said):
    assert said in part_of(made(tmp_path, comparisons=[row]), "Is it better").text


def test_seen_and_unseen_make_four_cells_under_an_id_of_their_own(chapter):
    (table,) = part_of(chapter, "Seen and unseen").tables
    assert table.name == "paper-narang2022-generalisation-nrmse-honest"
    texts = [cell.text for cell in table.rows[0]]
    assert "0.200 ± 0.020" in texts
    assert "0.600 ± 0.020" in texts


def test_a_published_model_below_doing_nothing_is_told(chapter):
    text = next(part.text for part in chapter.parts if part.heading.startswith("Table 2"))
    assert "Default-to-Param: doing nothing reaches 21.50 dB" in text
    assert "(20.12 dB)" in text


def test_table_2_is_the_test_on_the_pictures_of_another_simulator(chapter):
    part = part_of(chapter, "Table 2")
    (table,) = part.tables
    published = cells_of(table, "Param-Net, published", "Default-to-Param")
    assert published["PSNR (dB)"].text == "20.12 ± 2.89"
    own = cells_of(table, "net", "Default-to-Param")
    assert own["PSNR (dB)"].text == "16.00 ± 1.41"
    assert own["NRMSE over the body"].text == "0.500"
    assert "sagittal slice of the very head" in part.text


def test_what_is_absent_is_said(tmp_path):
    chapter = made(tmp_path, names=["leaked"])
    assert "They are not in this run" in part_of(chapter, "Table 2").text
    assert "No learned system was compared" in part_of(chapter, "Is it better").text
    assert "no honest experiment" in part_of(chapter, "Seen and unseen").text
    param = part_of(chapter, "Table 1: Param-to-Param")
    assert cells_of(param.tables[0], "Param-Net")["PSNR (dB), published"].text == "24.80 ± 1.68"
    assert "no Param-to-Param experiment on the honest split" in param.text
