"""What a page of nine experiments weighs, and how it is ordered."""

import re

from tests.report.nine import nine_experiments


def test_a_page_of_nine_experiments_stays_small(nine):
    experiments = nine_experiments()["experiments"]
    assert len(experiments) == 9
    page = nine.read_text(encoding="utf-8")
    assert len(page.encode()) < 25e6
    # Curves of all trainings together.
    charts = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert sum(map(len, charts)) < 3e6
    # Each of these is some 250 kB in a real run.
    assert 5 <= page.count('<details class="pictures">') <= 12


def test_leaked_experiments_show_less_and_say_what_they_are(nine):
    page = nine.read_text(encoding="utf-8")
    for name, values in nine_experiments()["experiments"].items():
        own = page.split(f'id="experiment-{name}"')[1].split('<section class="experiment"')[0]
        leaked = bool(values.get("leaked"))
        assert own.count('<div class="example">') == 1 or not leaked
        assert ('class="leaked"' in own) == leaked
    assert page.count("not evidence of generalisation") >= 3 * 4


def test_experiments_of_a_paper_stand_under_its_heading(nine):
    page = nine.read_text(encoding="utf-8")
    main = page.split('<main id="main"')[1]
    found = re.findall(r'id="((?:section|experiment)-\w+)"', main)
    assert found == [
        "section-simko2021", "experiment-simko2021",
        "section-alkan2017", "experiment-alkan2017_within", "experiment-alkan2017_many",
        "section-crl2024", "experiment-crl2024", "experiment-crl2024_pairs",
        "section-narang2022", "experiment-narang2022_leaked_default",
        "experiment-narang2022_leaked_param", "experiment-narang2022_default",
        "experiment-narang2022_param",
    ]  # fmt: skip
