"""The report as a reader gets it, made from fabricated results and opened in a browser."""

import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.report.collect import Results
from pipeline_lib.report.page import build_page
from pipeline_lib.report.request import Request
from pipeline_lib.report.verdict import is_better
from tests.report.fabricate import clinic, fabricate, options, pelvis

EXPERIMENTS = {
    "pelvis": {"dataset": "pelvis", "folds": 2, "models": ["unet", "simko"]},
    "clinic": {"dataset": "clinic", "folds": 1, "models": ["unet"]},
}
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(BROWSER is None, reason="chromium is not installed")


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


def open_in_browser(page, folder, script=""):
    path = folder / "report.html"
    path.write_text(page.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    return subprocess.run(
        [BROWSER, *flags, "--enable-logging=stderr", f"--user-data-dir={folder}/profile",
         "--virtual-time-budget=3000", "--dump-dom", path.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip


@needs_browser
def test_the_page_opens_without_a_console_error(page, tmp_path):
    done = open_in_browser(page, tmp_path)
    assert "CONSOLE" not in done.stderr
    assert "Result in brief" in done.stdout


@needs_browser
def test_a_table_sorts_when_its_heading_is_clicked(page, tmp_path):
    script = """
      const button = document.querySelector("th button");
      const table = button.closest("table");
      const column = button.closest("th").cellIndex;
      const read = () => [...table.tBodies[0].rows].map(r => r.cells[column].textContent.trim());
      const before = read();
      button.click(); const up = read();
      button.click(); const down = read();
      document.body.dataset.sorted = JSON.stringify({before, up, down,
        aria: button.closest("th").getAttribute("aria-sort")});
    """
    dom = open_in_browser(page, tmp_path, script).stdout
    found = re.search(r'data-sorted="([^"]*)"', dom)
    assert found is not None
    content = found.group(1).replace("&quot;", '"')
    assert '"aria":"descending"' in content or '"aria":"ascending"' in content
    up, down = (re.search(rf'"{name}":\[(.*?)\]', content).group(1) for name in ("up", "down"))
    assert up.split(",") == list(reversed(down.split(",")))
