"""The report as a reader gets it, made from fabricated results and opened in a browser."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.report.collect import Results
from pipeline_lib.report.figures import Line, line_chart
from pipeline_lib.report.matrices import matrix_set
from pipeline_lib.report.page import build_page
from pipeline_lib.report.pair_tables import pair_table
from pipeline_lib.report.request import Request
from pipeline_lib.report.verdict import is_better
from tests.report.fabricate import clinic, fabricate, options, pelvis

EXPERIMENTS = {
    "pelvis": {"dataset": "pelvis", "folds": 2, "models": ["unet", "simko"]},
    "clinic": {"dataset": "clinic", "folds": 1, "models": ["unet"]},
}


def make_page(folder, datasets, experiments):
    asked = options(datasets, experiments)
    fabricate(folder, asked)
    return build_page(Request.from_options(asked), Results(folder))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    datasets = {"pelvis": pelvis(), "clinic": clinic()}
    return make_page(tmp_path_factory.mktemp("results"), datasets, EXPERIMENTS)


def text_of(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_the_page_loads_nothing_from_anywhere(page):
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", page)
    assert "@import" not in page
    assert not re.findall(r"url\(\s*['\"]?https?:", page)


def test_a_model_below_the_look_up_table_is_flagged_in_words(page):
    assert "simko is below the look-up table" in text_of(page)
    assert "unet is below the look-up table" not in text_of(page)


def test_every_table_has_baselines_and_the_ceiling(page):
    text = text_of(page)
    for name in ("Do nothing", "Look-up table", "Training mean", "Noise ceiling"):
        assert name in text


def test_the_conventions_stand_beside_the_numbers(page):
    text = text_of(page)
    assert "99.9th percentile" in text
    assert "bootstrap over patients" in text


def test_every_picture_has_a_text_and_every_table_can_be_downloaded(page):
    assert all("alt=" in tag for tag in re.findall(r"<img[^>]*>", page))
    assert page.count("data:text/csv") >= 8


def test_one_test_patient_has_no_interval_and_says_so(page):
    assert "how much patients differ can" in text_of(page)


def test_names_are_escaped(tmp_path):
    datasets = {"<b>x</b>": pelvis(2)}
    made = make_page(tmp_path, datasets, {"e": {"dataset": "<b>x</b>", "folds": 1, "models": []}})
    assert "<b>x</b>" not in made
    assert "&lt;b&gt;x&lt;/b&gt;" in made


def test_a_dataset_without_models_tissues_and_maps_still_has_a_page(tmp_path):
    asked = options({"clinic": clinic()}, {})
    fabricate(tmp_path, asked)
    shutil.rmtree(tmp_path / "fit_maps", ignore_errors=True)
    (tmp_path / "evaluation").mkdir(exist_ok=True)
    made = build_page(Request.from_options(asked), Results(tmp_path))
    assert "clinic" in made


def requested(folder, **experiment):
    """Results of one experiment on a virtual pelvis, and the request for them."""
    asked = options({"pelvis": pelvis()}, {"e": {"dataset": "pelvis", "folds": 1, **experiment}})
    fabricate(folder, asked)
    return Request.from_options(asked), Results(folder)


THERE, BACK, OTHER = ["T1w", "T2w"], ["T2w", "T1w"], ["PDw", "T2w"]


def test_an_experiment_of_one_pair_renders(tmp_path):
    made = build_page(
        *requested(tmp_path, models=["unet", "pgan"], pairs=[THERE], one_pair=["pgan"])
    )
    text = text_of(made)
    assert "(virtual patients, simulated by this workflow): T1w → T2w; 3 test patients" in text
    assert "all pairs" not in text
    assert "From each source to each target" not in text
    assert "pgan , training: losses" in text
    for model in ("unet", "pgan"):
        # The pair of the median patient and that of the worst.
        shown = made.split("Example slices")[1]
        assert shown.count(f'alt="T2w predicted by {model} from T1w') == 2


def test_a_model_of_one_pair_is_found_in_a_folder_for_each_pair(tmp_path):
    request, results = requested(
        tmp_path, models=["unet", "pgan"], pairs=[THERE, BACK, OTHER], one_pair=["pgan"]
    )
    experiment = request.experiments[0]
    found = results.predictions(experiment, "pgan", 0)
    assert [made.pairs for made in found] == [[tuple(pair)] for pair in (THERE, BACK, OTHER)]
    assert [len(made.pairs) for made in results.predictions(experiment, "unet", 0)] == [3]
    labels = [training.run.label for training in results.trainings(experiment)]
    assert labels == ["unet", "pgan T1w → T2w", "pgan T2w → T1w", "pgan PDw → T2w"]
    made = build_page(request, results)
    assert "trained anew for each pair" in made
    for source, target in (THERE, BACK, OTHER):
        assert f'alt="{target} predicted by pgan from {source}' in made


def test_maps_of_a_model_of_one_pair_are_those_from_the_reference(tmp_path):
    pairs, models = [THERE, OTHER], ["simko"]
    made = build_page(*requested(tmp_path, models=models, pairs=pairs, one_pair=models))
    assert "Map of T1 (s) by simko, from PDw" in made


@pytest.mark.parametrize(("count", "drawn"), [(1, False), (3, False), (4, True), (6, True)])
def test_matrices_are_drawn_where_most_pairs_are(tmp_path, count, drawn):
    every = [[a, b] for a in pelvis()["contrasts"] for b in pelvis()["contrasts"] if a != b]
    request, results = requested(tmp_path, models=["unet"], pairs=every[:count])
    made = matrix_set(results.evaluated().summary, request.experiments[0], ["unet"])
    assert (made is not None) == drawn
    if made is not None:
        texts = [cell.text for _, cells in made.matrices[0].rows for cell in cells]
        assert len(texts) - texts.count("–") == count
        assert not made.diagonal


def test_the_table_of_pairs_has_what_is_more_down_its_side(tmp_path):
    request, results = requested(tmp_path, models=["unet"], pairs=[BACK, THERE])
    made = pair_table(request.experiments[0], results.evaluated().summary, "nrmse")
    assert made.columns == ("System", "T2w → T1w", "T1w → T2w")
    assert len(made.rows) == 8
    assert [cell.best for cell in made.rows[0]] == [False, True, True]
    contrasts = {**pelvis(), "contrasts": ["PDw", "T1w", "T2w", "FLAIR"]}
    asked = options({"p": contrasts}, {"e": {"dataset": "p", "folds": 1, "models": ["unet"]}})
    fabricate(tmp_path / "all", asked)
    summary = Results(tmp_path / "all").evaluated().summary
    made = pair_table(Request.from_options(asked).experiments[0], summary, "nrmse")
    assert made.columns[:3] == ("Source → target", "unet", "Do nothing")
    assert len(made.rows) == 12


def test_ten_models_each_keep_their_error_beside_them(tmp_path):
    models = ["simko", "worse", *(f"a-rather-long-name_{number}" for number in range(8))]
    made = build_page(*requested(tmp_path, models=models, pairs=[THERE]))
    shown = made.split("Example slices")[1].split("Quantitative maps")[0]
    groups = shown.split('<div class="group">')[1:]
    assert len(groups) == 2 * 11  # two patients, of each the images and ten models
    assert all(group.count("<img") == 2 for group in groups)
    assert "simko and worse are below the look-up table in NRMSE and PSNR" in text_of(made)


def test_pairs_that_are_missing_or_of_unknown_contrasts_are_told():
    experiment = {"dataset": "pelvis", "folds": 1, "models": [], "pairs": [["T1w", "FLAIR"]]}
    asked = options({"pelvis": pelvis()}, {"e": experiment})
    with pytest.raises(InputError, match="name FLAIR, which pelvis has not"):
        Request.from_options(asked)
    del asked["experiments"]["e"]["pairs"]
    with pytest.raises(InputError, match="lack 'pairs'"):
        Request.from_options(asked)


def test_a_logarithmic_axis_has_numbers():
    line = Line(np.arange(5), 10.0 ** -np.arange(5), 0, "loss")
    drawn = line_chart([line], "step", "loss", "a chart", "key", log=True)
    assert "math" not in drawn
    assert "0.01" in drawn


@pytest.mark.parametrize(("metric", "better"), [("nrmse", False), ("psnr", True), ("ssim", True)])
def test_higher_is_better_for_some_metrics(metric, better):
    assert is_better(metric, 2.0, 1.0) is better


def test_a_table_of_nothing_but_missing_values_is_no_crash(tmp_path):
    asked = options(
        {"pelvis": pelvis(2)}, {"e": {"dataset": "pelvis", "folds": 1, "models": ["unet"]}}
    )
    fabricate(tmp_path, asked)
    path = tmp_path / "evaluation/summary.csv"
    table = pd.read_csv(path).assign(sd=np.nan, low=np.nan, high=np.nan)
    table.to_csv(path, index=False)
    assert "nan" not in text_of(build_page(Request.from_options(asked), Results(tmp_path))).split()
