"""A run like the default one, for all tests that look at its page."""

import pytest

from pipeline_lib.report.collect import Results
from pipeline_lib.report.page import build_page
from pipeline_lib.report.request import Request
from tests.report.fabricate import fabricate
from tests.report.nine import nine_experiments


@pytest.fixture(scope="session")
def nine(tmp_path_factory):
    """Path of the page of nine experiments."""
    folder = tmp_path_factory.mktemp("nine")
    asked = nine_experiments()
    fabricate(folder, asked, size=96)
    path = folder / "report.html"
    page = build_page(Request.from_options(asked), Results(folder))
    path.write_text(page, encoding="utf-8")
    return path
