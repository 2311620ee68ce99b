"""Simko 2021's chapter: each number in its cell, worked out by hand."""

from xml.etree import ElementTree

import pandas as pd
import pytest

from pipeline_lib.report.papers.simko2021_maps import bias_and_limits, pooled_voxels
from tests.report.papers.fabricated import (
    PELVIS,
    cells_of,
    chapter_of,
    part_of,
    request_of,
    rows_of,
    summary_row,
    write_csv,
    write_json,
    write_split,
)

EXPERIMENT = {"paper": "simko2021", "models": ["unet", "simko"]}
MODELS = {"unet": {"system": "unet"}, "simko": {"system": "simko"}}
TEST = ("sub-001", "sub-002")


def request():
    return request_of({"e": EXPERIMENT}, MODELS)


def nrmse(level, diagonal):
    """NRMSE by the paper's formula: level, a tenth more for the second patient."""
    return {
        (patient, a, b): diagonal if a == b else level + 0.1 * place
        for place, patient in enumerate(TEST)
        for a in PELVIS
        for b in PELVIS
    }


METRICS = [
    *rows_of("e", "do_nothing", "simko2021_nrmse", nrmse(0.35, 0.0)),
    *rows_of("e", "simko", "simko2021_nrmse", nrmse(0.15, 9.0)),
    # What is no paper's formula, or of training patients, has no part in it.
    *rows_of("e", "simko", "nrmse", nrmse(7.0, 7.0), region="body"),
    *rows_of("e", "simko", "simko2021_nrmse", nrmse(5.0, 5.0), group="seen"),
]


def tissue(patient, name, parameter, mean, n=100, sd=0.1, truth=1.0, bound=0.05):
    found = {"n": n, "mean": mean, "sd": sd, "median": mean, "truth": truth}
    keys = {"dataset": "d", "patient": patient, "tissue": name, "parameter": parameter}
    return {**keys, **found, "bound_relative": bound}


def predicted(patient, name, parameter, median, source="all", truth=1.0):
    return {"experiment": "e", "model": "simko", "fold": 0, "patient": patient, "source": source,
            "tissue": name, "parameter": parameter, "n": 10, "mean": median, "sd": 0.0,
            "median": median, "truth": truth}  # fmt: skip


@pytest.fixture
def root(tmp_path):
    write_split(tmp_path, "e", train=["sub-009"], test=list(TEST))
    return tmp_path


def test_table_2_has_published_and_measured_numbers_without_the_diagonal(root):
    chapter = chapter_of(
        "simko2021", request(), root, metrics=METRICS,
        summary=[summary_row("e", "simko", "nrmse", 0.31)],
    )  # fmt: skip
    part = part_of(chapter, "Table 2")
    (table,) = part.tables
    published = cells_of(table, "Do nothing published")
    assert published["PSNR (dB) ↑"].text == "21.53 ± 3.93"
    assert published["MSE ↓"].text == "0.010 ± 0.007"
    assert cells_of(table, "simko published")["NRMSE ↓"].text == "0.144 ± 0.041"
    # 20 pairs of two patients, 0.15 and 0.25: their SD is 0.05 · sqrt(40 / 39).
    measured = cells_of(table, "simko measured, the paper's formula")
    assert measured["NRMSE ↓"].text == "0.200 ± 0.051"
    assert measured["MSE ↓"].text == "–"
    body = cells_of(table, "simko measured, over the body")["NRMSE ↓"]
    assert (body.text, body.detail) == ("0.310 ± 0.010", "[0.210, 0.410]")
    # The paper's model is simko alone; the U-Net is in no published row and was not measured.
    assert not any(row[0].text == "unet" for row in table.rows)
    assert "The diagonal" in part.text
    # 0.2 / 0.4 - 1, and the paper's 0.144 / 0.215 - 1.
    assert (
        "simko against doing nothing, NRMSE by the paper's formula: −50 % (the paper's: −33 %)"
        in part.text
    )


def test_figure_2_is_drawn_with_the_diagonal(root):
    part = part_of(chapter_of("simko2021", request(), root, metrics=METRICS), "Figure 2")
    assert [figure.caption.split(":")[0] for figure in part.figures] == ["Do nothing", "simko"]
    simko = part.figures[1].image
    ElementTree.fromstring(simko)
    assert simko.count(">9.000<") == 5
    assert simko.count(">0.200<") == 20
    assert "Here simko is better for 20 of 20." in part.text


def test_table_3_pools_voxels_and_greys_what_can_t_be_estimated(root):
    tissues = [
        tissue("sub-001", "bladder", "T2", 1.0, n=100, sd=0.0, truth=1.2, bound=0.3),
        tissue("sub-002", "bladder", "T2", 2.0, n=300, sd=0.0, truth=1.2, bound=0.5),
        tissue("sub-001", "fat", "T1", 0.4, truth=0.38, bound=0.2),
        tissue("sub-009", "fat", "T1", 99.0),
    ]
    maps = [
        predicted("sub-001", "bladder", "T2", 0.9, truth=1.2),
        predicted("sub-002", "bladder", "T2", 1.1, truth=1.2),
        predicted("sub-001", "bladder", "T2", 50.0, source="PDw"),
    ]
    chapter = chapter_of("simko2021", request(), root, tissues=tissues, maps=maps)
    values, agreement = part_of(chapter, "Table 3").tables
    bladder = cells_of(values, "bladder", "T2 (s)")
    assert bladder["LSQ, published"].text == "2.71 ± 1.89"
    assert bladder["Model, published"].text == "0.12 ± 0.04"
    # 100 voxels of 1 and 300 of 2: mean 1.75, SD sqrt((100·0.5625 + 300·0.0625) / 399).
    assert bladder["Least squares"].text == "1.750 ± 0.434"
    assert bladder["Bound (%)"].text == "40.0"
    assert bladder["simko"].text == "1.000 ± 0.103"
    assert bladder["Truth"].text == "1.200"
    greyed = [name for name, cell in bladder.items() if cell.faint]
    assert greyed == ["Least squares", "Bound (%)", "simko"]
    # A bound of 20 % is not above it; a patient who isn't tested is left out.
    fat = cells_of(values, "fat", "T1 (s)")
    assert fat["Least squares"].text == "0.400 ± 0.100"
    assert not any(cell.faint for cell in fat.values())
    assert cells_of(values, "prostate", "PD")["LSQ, published"].text == "0.43 ± 0.04"
    # Differences −0.3 and −0.1: mean −0.2, SD sqrt(0.02), limits −0.2 ± 1.96 · 0.1414.
    limits = cells_of(agreement, "bladder", "T2 (s)")["simko"]
    assert (limits.text, limits.detail) == ("−0.200", "[−0.477, +0.077], n = 2")


def test_one_patient_has_a_bias_but_no_limits():
    rows = pd.DataFrame([tissue("sub-001", "fat", "T1", 0.5, truth=0.4)])
    n, bias, low, high = bias_and_limits(rows)
    assert (n, bias) == (1, pytest.approx(0.1))
    assert pd.isna(low) and pd.isna(high)


def test_pooling_voxels_is_that_of_all_voxels():
    values = [pd.Series([1.0, 2.0, 4.0]), pd.Series([3.0, 8.0])]
    rows = pd.DataFrame({"n": map(len, values), "mean": [v.mean() for v in values],
                         "sd": [v.std() for v in values]})  # fmt: skip
    found = pooled_voxels(rows)
    everything = pd.concat(values)
    assert found.mean == pytest.approx(everything.mean())
    assert found.sd == pytest.approx(everything.std())
    assert pooled_voxels(rows.iloc[:0]) is None


def decisions(acquired=(0.4, 4.5)):
    contrasts = {"T1w400": 0.4, "PDw": 4.5}
    rows = []
    for images, times in (("acquired", acquired), ("generated", (0.4, 1.0, 4.5))):
        for tr in times:
            for name, own in contrasts.items():
                share = 0.8 if own == tr else 0.1
                rows.append({"images": images, "sweep": "tr", "te": 0.008, "tr": tr, "class": name,
                             "share": share, "chosen": 0.75 if own == tr else 0.0})  # fmt: skip
            rows.append({"images": images, "sweep": "tr", "te": 0.008, "tr": tr,
                         "class": "generated", "share": 0.1, "chosen": 0.0})  # fmt: skip
    return rows


def test_figure_3_shows_the_classes_and_how_many_are_right(root):
    write_csv(root / "decide/e/simko/fold-0.csv", decisions())
    times = {"T1w400": {"te": 0.008, "tr": 0.4}, "PDw": {"te": 0.008, "tr": 4.5}}
    write_json(root / "check_scans/d/sub-001/scans.json", times)
    part = part_of(chapter_of("simko2021", request(), root), "Figure 3")
    assert len(part.figures) == 2
    for figure in part.figures:
        ElementTree.fromstring(figure.image)
        assert "T1w400 at 0.4 s, PDw at 4.5 s." in figure.alt
    assert "TR (s), TE 8 ms" in part.figures[0].caption
    # Acquired at the training's contrasts alone: bars; generated between them too: areas.
    bars, areas = (figure.image for figure in part.figures)
    assert bars.count("clip-path") > areas.count("clip-path")
    for chart in (bars, areas):
        assert ">0.4<" in chart and ">4.5<" in chart and ">1<" not in chart
    assert "simko tells 75 % of acquired images at the training's contrasts" in part.text


def test_figure_3_marks_the_training_s_contrasts_alone_where_more_was_acquired(root):
    write_csv(root / "decide/e/simko/fold-0.csv", decisions(acquired=(0.4, 1.0, 4.5)))
    times = {"T1w400": {"te": 0.008, "tr": 0.4}, "PDw": {"te": 0.008, "tr": 4.5}}
    write_json(root / "check_scans/d/sub-001/scans.json", times)
    acquired, made = (
        figure.image
        for figure in part_of(chapter_of("simko2021", request(), root), "Figure 3").figures
    )
    assert acquired.count("clip-path") == made.count("clip-path")
    assert ">4.5<" in acquired and ">1<" not in acquired


def losses(root, batch_size):
    rows = [
        {"phase": "adversarial", "step": step, "seconds": step, "name": name, "value": value}
        for name, value in {"d_fake_accuracy": 0.75, "gan_accuracy": 0.125}.items()
        for step in (10, 20)
    ]
    write_csv(root / "train/e/simko/fold-0/losses.csv", rows)
    card = {"patients": {"train": ["sub-009"]}, "settings": {"batch_size": batch_size},
            "contrasts": {name: {} for name in PELVIS}}  # fmt: skip
    write_json(root / "train/e/simko/fold-0/card.json", card)


def test_figure_6_is_over_steps_where_the_slices_are_not_there(root):
    losses(root, 4)
    part = part_of(chapter_of("simko2021", request(), root), "Figure 6")
    (figure,) = part.figures
    ElementTree.fromstring(figure.image)
    assert ">step<" in figure.image
    assert "gan_accuracy ends at 0.12" in figure.alt
    assert "the axis is steps" in part.text


def test_figure_6_is_over_epochs(root, monkeypatch):
    class Held:
        indices = range(12)

    monkeypatch.setattr("pipeline_lib.report.collect.Results.slices", lambda *_: Held())
    losses(root, 4)
    part = part_of(chapter_of("simko2021", request(), root), "Figure 6")
    # 12 slices · 5 contrasts / 4 = 15 steps an epoch: steps 10 and 20 are 0.67 and 1.33.
    (figure,) = part.figures
    assert ">epoch<" in figure.image
    assert ">1.2<" in figure.image
    assert ">20<" not in figure.image
    assert "the axis is steps" not in part.text


def test_a_run_without_results_says_so_in_every_part(tmp_path):
    chapter = chapter_of("simko2021", request(), tmp_path)
    texts = {part.heading: part.text for part in chapter.parts}
    assert "Nothing of this experiment was evaluated" in texts.pop("Table 2: contrast transfer")
    assert len(texts) == 5
    said = ("were found", "was found", "of this run left", "There are no predictions")
    assert all(any(words in text for words in said) for text in texts.values())


@pytest.mark.parametrize(
    ("scale", "said"), [("smoke", "only the direction"), ("paper", "the paper's own networks")]
)
def test_the_scale_of_the_networks_is_told(tmp_path, scale, said):
    asked = request_of({"e": EXPERIMENT}, MODELS, scale=scale)
    sentences = chapter_of("simko2021", asked, tmp_path).said
    assert any(f"Scale {scale} (unet, simko)" in text and said in text for text in sentences)
