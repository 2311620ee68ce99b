"""What the page shows of fitted maps: a slice with bounds and flags, tissues, how fits ended."""

import base64
import io
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline_lib.errors import InputError
from pipeline_lib.quantify.derivatives import path_of
from pipeline_lib.quantify.flags import Flag
from pipeline_lib.report.collect import Results
from pipeline_lib.report.figures import image_uri, labels_uri
from pipeline_lib.report.fitted_maps import (
    LOOKS,
    fitted_maps,
    flag_counts,
    flag_words,
    relative_bound,
    slice_figure,
)
from pipeline_lib.report.map_tables import (
    contrasts_of_simko,
    flags_table,
    share_words,
    tissue_table,
)
from pipeline_lib.report.page import build_page
from pipeline_lib.report.request import Request
from tests.report.fabricate import clinic, fabricate, options, pelvis


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The request and the results of two datasets: of one, with two contrasts, no maps."""
    folder = tmp_path_factory.mktemp("maps")
    experiments = {"e": {"dataset": "pelvis", "folds": 1, "models": ["unet"]}}
    asked = options({"pelvis": pelvis(3), "clinic": clinic()}, experiments)
    fabricate(folder, asked)
    return Request.from_options(asked), Results(folder)


def pixels(uri):
    data = base64.b64decode(uri.partition("base64,")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_a_bound_is_a_share_of_its_value_and_unknown_without_either():
    values = np.array([2.0, 0.5, 0.0, 1.0, 1.0])
    bound = np.array([0.1, 0.5, 0.1, np.nan, np.inf])
    np.testing.assert_allclose(relative_bound(values, bound), [5, 100, np.inf, np.inf, np.inf])


def test_what_is_above_the_window_has_a_colour_of_its_own():
    image = np.array([[0.0, 20.0, 20.01, np.inf]])
    drawn = pixels(image_uri(image, 20.0, "gray", over="#ff0000"))
    assert drawn[0, 0].tolist() == [0, 0, 0]
    assert drawn[0, 1, 0] == drawn[0, 1, 1] > 250
    assert drawn[0, 2:].tolist() == [[255, 0, 0]] * 2


def test_labels_are_drawn_in_their_colours_with_square_pixels():
    drawn = pixels(labels_uri(np.array([[0, 1, 7]]), {1: "#0072b2", 7: "#ffffff"}, (2.0, 1.0)))
    assert drawn.shape == (2, 3, 3)
    assert drawn[1].tolist() == [[0, 0, 0], [0, 0x72, 0xB2], [255, 255, 255]]


def figure_of(flags):
    """Draw 1 x 4 voxels, of which the last one lies outside the body."""
    values = np.full((1, *flags.shape), 0.5, dtype=np.float32)
    maps = dict.fromkeys(("PD", "T1", "T2"), values)
    maps |= {f"{name}_bound": 0.05 * values for name in ("PD", "T1", "T2")}
    slices = SimpleNamespace(
        body=np.ones_like(values), patient="sub-001", indices=(12,), spacing=(1.0, 1.0)
    )
    return slice_figure(slices, maps | {"flag": flags[None]}, 0)


def test_a_slice_shows_each_map_beside_its_bound_then_the_flags():
    figure = figure_of(np.array([[1, 1, Flag.AT_BOUND, 0]], dtype=np.uint8))
    captions = [[panel.caption for panel in group] for group in figure.example.groups]
    assert captions == [
        ["T1 (s)", "Bound of T1"], ["T2 (s)", "Bound of T2"], ["PD", "Bound of PD"],
        ["How the fit ended"],
    ]  # fmt: skip
    drawn = pixels(figure.example.groups[-1][0].uri)[0]
    colours = ["#{:02x}{:02x}{:02x}".format(*each) for each in drawn]
    converged, at_bound = LOOKS[Flag.CONVERGED][0], LOOKS[Flag.AT_BOUND][0]
    assert colours == [converged, converged, at_bound, "#000000"]


def test_the_key_has_the_shares_of_what_was_fitted():
    figure = figure_of(np.array([[1, 1, Flag.AT_BOUND, 0]], dtype=np.uint8))
    texts = {entry.colour: entry.text for entry in figure.key}
    assert texts[LOOKS[Flag.CONVERGED][0]].startswith("converged, 66.7 %")
    assert texts[LOOKS[Flag.AT_BOUND][0]].startswith("at a limit of T1 or T2, 33.3 %")
    assert texts[LOOKS[Flag.BELOW_NOISE][0]].startswith("below the noise, 0.0 %")
    assert len(texts) == len(Flag) - 1


def test_every_flag_but_not_fitted_has_its_look():
    assert set(LOOKS) == set(Flag) - {Flag.NOT_FITTED}
    assert len({colour for colour, _ in LOOKS.values()}) == len(LOOKS)


def test_flags_are_counted_by_tissue_and_in_all(run):
    request, results = run
    dataset = request.datasets[0]
    counts = flag_counts(dataset, results).set_index(["patient", "tissue"])
    slices = results.slices(dataset, "sub-002")
    flags = results.fitted_maps(dataset, slices, ["flag"])["flag"]
    fat = np.asarray(slices.tissues) == 1
    expected = (flags[fat] == Flag.AT_BOUND).sum()
    assert counts.loc[("sub-002", "fat"), LOOKS[Flag.AT_BOUND][1]] == expected > 0
    assert counts.loc[("sub-002", "all that was fitted")].sum() == (flags > 0).sum()
    assert len(counts) == 3 * 3


COUNTS = pd.DataFrame(
    [
        {"patient": "a", "tissue": "fat", "converged": 6, "at a bound": 1},
        {"patient": "b", "tissue": "fat", "converged": 2, "at a bound": 1},
        {"patient": "a", "tissue": "bone", "converged": 0, "at a bound": 0},
    ]
)


def test_shares_of_flags_are_over_the_voxels_of_all_patients(run):
    table = flags_table(run[0].datasets[0], COUNTS)
    assert table.columns == ("Tissue", "Voxels", "Converged", "At a bound")
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["fat", "10", "80.0 %", "20.0 %"]
    ]


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0.0 %"), (4, "< 0.1 %"), (5, "0.1 %"), (10_000, "100.0 %")]
)
def test_a_share_that_is_not_nothing_is_not_written_so(count, text):
    assert share_words(count, 10_000) == text


def test_the_sentence_names_only_what_happened():
    nothing = dict.fromkeys((name for _, name in LOOKS.values()), 0)
    counts = pd.DataFrame(
        [
            {"patient": "a", "tissue": "all that was fitted", **nothing, "converged": 1800},
            {"patient": "b", "tissue": "all that was fitted", **nothing, "below the noise": 200},
        ]
    )
    assert flag_words(counts) == (
        "Of 2,000 voxels fitted in 2 patients: 90.0 % converged, 10.0 % below the noise."
    )
    assert flag_words(pd.DataFrame()) == ""


def tissues(**changes):
    row = {"dataset": "pelvis", "tissue": "fat", "parameter": "T1", "n": 700, "mean": 0.41,
           "sd": 0.02, "median": 0.4, "truth": 0.5, "bound_relative": 0.05}  # fmt: skip
    return pd.DataFrame(
        [
            {**row, **changes, "patient": "a"},
            {**row, **changes, "patient": "b", "mean": 0.43, "median": 0.44},
        ]
    )


def cells_of(run, rows, **options):
    table = tissue_table(run[0].datasets[0], rows, {"fat": {"T1": 0.382}}, **options)
    (cells,) = table.rows
    return dict(zip(table.columns, cells, strict=True))


def test_a_tissue_has_median_mean_truth_bound_and_literature(run):
    cells = cells_of(run, tissues())
    assert (cells["Tissue"].text, cells["Tissue"].detail) == ("fat", "T1 (s)")
    assert (cells["Voxels"].text, cells["Voxels"].detail) == ("1,400", "2 patients")
    assert (cells["Median"].text, cells["Median"].detail) == ("0.420 ± 0.028", "−16.0 %")
    assert (cells["Mean"].text, cells["Mean"].detail) == ("0.420", "± 0.020")
    assert cells["Truth"].text == "0.500"
    assert cells["Bound (%)"].text == "5.0"
    assert cells["Literature"].text == "0.382"
    assert not any(cell.faint for cell in cells.values())


@pytest.mark.parametrize(("bound", "faint"), [(0.2, False), (0.201, True), (np.inf, True)])
def test_a_bound_above_20_percent_greys_and_says_so(run, bound, faint):
    cells = cells_of(run, tissues(bound_relative=bound))
    greyed = {name for name, cell in cells.items() if cell.faint}
    assert greyed == ({"Median", "Bound (%)", "Mean", "Truth"} if faint else set())
    assert cells["Bound (%)"].detail == ("too uncertain" if faint else "")


def test_a_tissue_without_truth_and_bound_has_neither_and_is_not_greyed(run):
    cells = cells_of(run, tissues(truth="", bound_relative=np.nan))
    assert (cells["Median"].detail, cells["Truth"].text, cells["Bound (%)"].text) == ("", "–", "–")
    assert not any(cell.faint for cell in cells.values())


def test_simkos_column_stands_beside_the_same_tissue(run):
    assert "Simkó 2021, LSQ" not in cells_of(run, tissues())
    cells = cells_of(run, tissues(), beside_simko=True)
    assert cells["Simkó 2021, LSQ"].text == "0.38 ± 0.07"
    other = cells_of(run, tissues(tissue="marrow"), beside_simko=True)
    assert other["Simkó 2021, LSQ"].text == "–"


def test_simkos_contrasts_are_known_by_their_times():
    times = [(0.008, 0.4), (0.008, 0.75), (0.008, 4.5), (0.075, 4.5), (0.12, 4.5)]
    sequences = pd.DataFrame(times * 2, columns=["te", "tr"])
    assert contrasts_of_simko(sequences)
    assert not contrasts_of_simko(sequences.assign(te=0.008))
    assert not contrasts_of_simko(sequences.iloc[:0])


def test_a_dataset_without_maps_shows_none(run):
    request, results = run
    found = fitted_maps(request.datasets[1], request, results, results.evaluated())
    assert (found.figure, found.tissues, found.flags, found.words) == (None, None, None, "")


def test_the_page_has_the_slice_the_sentence_and_both_tables(run):
    made = build_page(*run)
    part = made.split('id="tissues"')[1].split('id="quality"')[0]
    assert part.count("<img") == 7
    assert 'id="tissues-pelvis"' in part
    assert 'id="map-flags-pelvis"' in part
    assert re.search(r"Of [\d,]+ voxels fitted in 3 patients: \d", part)
    assert "too uncertain" in part
    assert part.count("No maps were fitted.") == 1


def test_a_map_that_is_missing_is_told_in_a_sentence(run, tmp_path):
    request, results = run
    shutil.copytree(results.root, tmp_path / "results")
    copy, dataset = Results(tmp_path / "results"), request.datasets[0]
    path_of(copy.root / "fit_maps/pelvis/sub-001", "sub-001", "flag").unlink()
    with pytest.raises(InputError, match=r"desc-flag_fit\.nii\.gz is missing"):
        flag_counts(dataset, copy)
