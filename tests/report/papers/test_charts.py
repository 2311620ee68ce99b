import re
from xml.etree import ElementTree

import numpy as np
import pytest

from pipeline_lib.report.papers.charts import Shares, heat_map, share_chart


def texts(svg):
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_a_heat_map_holds_its_numbers_and_leaves_holes_empty():
    svg = heat_map(np.array([[0.0, 0.5], [np.nan, 1.0]]), ["A", "B"], 1.0, 2, "A map.", "key")
    ElementTree.fromstring(svg)
    assert {"0.00", "0.50", "1.00", "A", "B", "source", "target"} <= set(texts(svg))
    assert "nan" not in svg
    assert 'aria-label="A map."' in svg
    assert "currentColor" in svg


def test_numbers_on_dark_colours_are_white_and_on_pale_ones_black():
    svg = heat_map(np.array([[0.0, 1.0]]), ["A"] * 2, 1.0, 2, "A map.", "key")
    (pale,) = re.findall(r'style="([^"]*)"[^>]*>0\.00<', svg)
    (dark,) = re.findall(r'style="([^"]*)"[^>]*>1\.00<', svg)
    assert "#ffffff" not in pale
    assert "#ffffff" in dark


@pytest.mark.parametrize("continuous", [True, False])
def test_shares_have_a_legend_and_mark_the_training(continuous):
    made = Shares(
        np.array([0.4, 0.75, 4.5]),
        {"T1w": np.array([0.9, 0.6, 0.1]), "generated": np.array([0.1, 0.4, 0.9])},
        [0.4, 4.5],
        continuous,
    )
    svg = share_chart(made, "generated", "TR (s)", "Shares.", "key")
    ElementTree.fromstring(svg)
    found = texts(svg)
    assert {"T1w", "generated", "TR (s)", "0.4", "4.5"} <= set(found)
    assert "0.75" not in found
    assert "#8a8f98" in svg


def test_a_single_point_can_be_drawn():
    made = Shares(np.array([0.4]), {"T1w": np.array([1.0])}, [0.4], continuous=True)
    ElementTree.fromstring(share_chart(made, "generated", "TR (s)", "Shares.", "key"))
