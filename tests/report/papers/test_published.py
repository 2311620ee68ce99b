"""Every number that is given as published stands in the text of its paper, in its row."""

import math
import re
from pathlib import Path

import pytest

from pipeline_lib.report.papers import published

PAPERS = Path(__file__).parents[4] / "shared/papers"


def paper(name):
    path = PAPERS / name
    if not path.exists():
        pytest.skip("the texts of the papers are not beside the project")
    return path.read_text()


def spaced(text):
    return re.sub(r"\s+", " ", text)


def both(spread, digits):
    return f"{spread.mean:.{digits}f} ± {spread.sd:.{digits}f}"


def test_tables_2_and_3_of_simko():
    text = spaced(paper("simko2021_changing_contrast.txt"))
    for metric, digits in {"mse": 3, "nrmse": 3, "psnr": 2, "ssim": 3}.items():
        columns = published.SIMKO_TABLE_2[metric]
        row = (
            f"{metric.upper()} {both(columns['baseline'], digits)} {both(columns['model'], digits)}"
        )
        assert row in text
    for tissue, parameters in published.SIMKO_TABLE_3.items():
        numbers = [both(spread, 2) for pair in parameters.values() for spread in pair]
        assert list(parameters) == ["PD", "T1", "T2"]
        assert " ".join([tissue.capitalize(), *numbers]) in text


def test_tables_of_alkan():
    text = spaced(paper("alkan2017_contrast_prediction.txt"))
    for number, losses in published.ALKAN_TABLES.items():
        layers = dict.fromkeys(layers for layers, _ in losses)
        rows = [
            f"{depth} Layer Network {losses[depth, False]:,.0f} {losses[depth, True]:,.0f}"
            for depth in layers
        ]
        assert f"{' '.join(rows)} Table {number}." in text


def test_table_2_of_crl():
    text = spaced(paper("crl2024_contrast_representation_learning.txt"))
    text = text.replace("96.89±0.4 ", "96.89±0.40 ")
    rows = {"pGAN": "pGAN [5]", "PTNet": "PTNet [18]", "ResViT": "ResVIT [4]", "CRL": "Ours"}
    for pairs in ([(5, 9), (5, 1), (5, 7)], [(7, 5), (7, 1), (7, 9)]):
        for system, name in rows.items():
            cells = [
                f"{spread.mean:.2f}±{spread.sd:.2f}"
                for pair in pairs
                for spread in published.CRL_TABLE_2[pair][system]
            ]
            assert " ".join([name, *cells]) in text


def test_the_header_of_table_2_of_crl_names_the_pairs_in_this_order():
    text = spaced(paper("crl2024_contrast_representation_learning.txt"))
    names = published.CRL_NAMES
    headings = [f"{names[source]} to {names[target]}" for source, target in published.CRL_TABLE_2]
    assert f"Model {' '.join(headings[:3])}" in text
    assert f"Model {' '.join(headings[3:])}" in text


def test_table_3_of_crl():
    text = spaced(paper("crl2024_contrast_representation_learning.txt"))
    for source, values in published.CRL_TABLE_3.items():
        name = f"{source}*" if source in published.CRL_UNSEEN else str(source)
        cells = ["-" if math.isnan(value) else f"{value:.2f}" for value in values]
        average = f"{published.CRL_TABLE_3_AVERAGES[source]:.2f}"
        assert " ".join([name, *cells, average]) in text


def test_tables_of_narang():
    text = spaced(paper("narang2022_reparameterization.txt")).replace(" 22.3 ", " 22.30 ")
    for table in (published.NARANG_TABLE_1, published.NARANG_TABLE_2):
        for mode, spreads in table.items():
            numbers = [value for spread in spreads for value in (spread.mean, spread.sd)]
            assert " ".join([mode, *(f"{number:.2f}" for number in numbers)]) in text
