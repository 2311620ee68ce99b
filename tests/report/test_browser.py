"""The page of a run like the default one, opened and used in a real browser."""

import io
import shutil
import time
from urllib.parse import unquote

import pandas as pd
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="chromium and chromedriver (Debian's chromium-driver) are not both installed",
)
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
# WCAG 2: relative luminance and contrast ratio of each text against the ground behind it.
CONTRASTS = """
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = channels(colour).slice(0, 3).map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      const [, , , alpha = 1] = channels(colour);
      if (alpha === 1) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest("svg, script, style")) continue;
    const pair = [luminance(getComputedStyle(element).color), luminance(ground(element))];
    const [low, high] = pair.sort((a, b) => a - b);
    found.push([(high + 0.05) / (low + 0.05), element.tagName + "." + element.className]);
  }
  return found;
"""
OPEN_ALL = "for (const part of document.querySelectorAll('details')) part.open = true;"


@pytest.fixture(scope="module")
def downloads(tmp_path_factory):
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def driver(downloads):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def show(driver, nine):
    """Open the page at a width, in the light or the dark scheme."""

    def opened(width=1200, scheme="light"):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        driver.get(nine.as_uri())
        return driver

    return opened


def test_the_page_opens_without_a_word_on_the_console(show):
    driver = show()
    driver.execute_script(OPEN_ALL)
    # What the content security policy refuses would be told there too.
    assert driver.get_log("browser") == []
    assert driver.find_element(By.ID, "wins-title").text == "Which system wins where"


def read(table, column):
    cells = table.find_elements(By.CSS_SELECTOR, f"tbody tr > :nth-child({column + 1})")
    return [cell.get_attribute("data-sort") for cell in cells]


@pytest.mark.parametrize(
    ("name", "column", "kind"),
    [("transfer-simko2021", 3, float), ("which-system-wins-where", 0, str)],
)
def test_a_click_on_a_heading_sorts_both_ways(show, name, column, kind):
    table = show().find_element(By.ID, name)
    heading = table.find_elements(By.CSS_SELECTOR, "thead th")[column]
    assert heading.get_attribute("aria-sort") is None
    before = [kind(value) for value in read(table, column)]
    heading.find_element(By.TAG_NAME, "button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert [kind(value) for value in read(table, column)] == sorted(before)
    heading.find_element(By.TAG_NAME, "button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert [kind(value) for value in read(table, column)] == sorted(before, reverse=True)
    assert sorted(before) != before


def test_every_picture_is_drawn(show):
    driver = show()
    driver.execute_script(OPEN_ALL)
    empty = driver.execute_async_script("""
      const done = arguments[0], images = [...document.images];
      for (const image of images) image.loading = "eager";
      Promise.allSettled(images.map((image) => image.decode())).then(() => {
        const pictures = images.filter((image) => image.naturalWidth === 0);
        const charts = [...document.querySelectorAll("svg")].filter((chart) => {
          const box = chart.getBoundingClientRect();
          return !(box.width > 0 && box.height > 0);
        });
        done([images.length, document.querySelectorAll("svg").length,
              pictures.map((p) => p.alt), charts.map((c) => c.getAttribute("aria-label"))]);
      });
    """)
    images, charts, *missing = empty
    assert images > 100
    assert charts > 20
    assert missing == [[], []]


@pytest.mark.parametrize("width", [400, 1000, 1600])
def test_nothing_is_wider_than_the_screen(show, width):
    driver = show(width)
    driver.execute_script(OPEN_ALL)
    script = "return [innerWidth, document.scrollingElement.scrollWidth]"
    inner, scrolled = driver.execute_script(script)
    assert inner == width
    assert scrolled <= inner


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read_against_its_ground(show, scheme):
    driver = show(scheme=scheme)
    driver.execute_script(OPEN_ALL)
    dark = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (dark == "rgb(20, 23, 26)") == (scheme == "dark")
    found = driver.execute_script(CONTRASTS)
    assert len(found) > 1000
    assert [each for each in found if each[0] < 4.5] == []


def test_every_table_can_be_downloaded_as_csv(show, downloads):
    driver = show()
    links = driver.execute_script(
        "return [...document.querySelectorAll('a[download]')].map((a) => [a.download, a.href])"
    )
    names = [name for name, _ in links]
    assert len(set(names)) == len(names)
    for name, address in links:
        text = unquote(address.removeprefix("data:text/csv;charset=utf-8,"))
        table = pd.read_csv(io.StringIO(text))
        assert len(table) > 0, name
    for name in ("which-system-wins-where", "forest-nrmse-crl2024", "matrices-nrmse-crl2024"):
        assert f"{name}.csv" in names
    driver.find_element(By.CSS_SELECTOR, "a[download='which-system-wins-where.csv']").click()
    saved = downloads / "which-system-wins-where.csv"
    waited = time.monotonic() + 10
    while not saved.exists() and time.monotonic() < waited:
        time.sleep(0.05)
    assert set(pd.read_csv(saved)["metric"]) == {"nrmse"}


def test_the_page_can_be_used_with_the_keyboard(show):
    driver = show()
    driver.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    skip = driver.switch_to.active_element
    assert skip.text == "Skip to the results"
    skip.send_keys(Keys.ENTER)
    assert driver.switch_to.active_element.get_attribute("id") == "main"
    table = driver.find_element(By.ID, "which-system-wins-where")
    # From the results on, the first stops are the table, which can be scrolled, and its headings.
    driver.switch_to.active_element.send_keys(Keys.TAB)
    assert driver.switch_to.active_element.get_attribute("role") == "region"
    driver.switch_to.active_element.send_keys(Keys.TAB)
    button = driver.switch_to.active_element
    assert button.tag_name == "button"
    button.send_keys(Keys.ENTER)
    heading = table.find_element(By.CSS_SELECTOR, "thead th")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert driver.switch_to.active_element == button
