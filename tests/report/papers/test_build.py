"""Which chapters a run has, and how they stand on the page."""

import re

import pytest

from pipeline_lib.report.page import _environment
from pipeline_lib.report.papers.build import CHAPTERS
from tests.report.papers.fabricated import chapter_of, request_of, rows_of

MODELS = {"unet": {"system": "unet"}}


@pytest.mark.parametrize("paper", CHAPTERS)
def test_a_run_without_an_experiment_of_a_paper_has_no_chapter_of_it(tmp_path, paper):
    others = [other for other in CHAPTERS if other != paper]
    experiments = {f"e{i}": {"paper": name, "models": ["unet"]} for i, name in enumerate(others)}
    experiments["own"] = {"models": ["unet"]}
    request = request_of(experiments, MODELS)
    assert chapter_of(paper, request, tmp_path) is None
    for other in others:
        assert chapter_of(other, request, tmp_path).key == other


@pytest.mark.parametrize("paper", CHAPTERS)
def test_a_chapter_is_rendered_with_unique_ids_and_escaped_names(tmp_path, paper):
    request = request_of({"e": {"paper": paper, "models": ["<unet>"]}}, {"<unet>": {}})
    values = {("sub-1", "PDw", "T1w400"): 0.5, ("sub-1", "PDw", "PDw"): 0.0}
    metrics = [
        *rows_of("e", "<unet>", "simko2021_nrmse", values),
        *rows_of("e", "<unet>", "narang2022_psnr", values),
    ]
    chapter = chapter_of(paper, request, tmp_path, metrics=metrics)
    template = _environment().from_string(
        '{% import "macros.html" as show %}{% include "paper.html" %}'
    )
    page = template.render(paper=chapter)
    assert chapter.parts[0].heading in page
    assert "<unet>" not in page
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert page.count("<svg ") == sum(len(part.figures) for part in chapter.parts)
    assert (page.count("<svg ") > 0) == (paper == "simko2021")
