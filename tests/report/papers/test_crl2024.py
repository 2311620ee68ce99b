"""CRL's chapter: six pairs of two experiments, and nine by nine."""

import pytest

from tests.report.papers.fabricated import (
    cells_of,
    chapter_of,
    part_of,
    request_of,
    rows_of,
    summary_row,
)

CONTRASTS = [f"seq{number}" for number in range(1, 10)]
MODELS = {
    "crl_paper": {"system": "crl_paper"}, "crl_code": {"system": "crl_code"},
    "unet": {"system": "unet"}, "pgan": {"system": "pgan"},
}  # fmt: skip
EXPERIMENTS = {
    "pairs": {
        "paper": "crl2024", "models": ["pgan"], "one_pair": ["pgan"],
        "pairs": [["seq5", "seq9"], ["seq5", "seq1"]],
    },
    "all": {
        "paper": "crl2024", "models": ["unet", "crl_paper", "crl_code"],
        "unseen": ["seq4", "seq6"],
    },
}  # fmt: skip


def psnr(experiment, model, value, pairs):
    found = {
        (f"sub-{i}", a, b): value + step for a, b in pairs for i, step in enumerate((-1.0, 1.0))
    }
    return rows_of(experiment, model, "crl2024_psnr", found)


EVERY = [(a, b) for a in CONTRASTS for b in CONTRASTS]
SEEN = [(a, b) for a, b in EVERY if not {a, b} & {"seq4", "seq6"}]
METRICS = [
    *psnr("pairs", "pgan", 24.0, [("seq5", "seq9"), ("seq5", "seq1")]),
    *psnr("pairs", "do_nothing", 5.0, [("seq5", "seq9"), ("seq5", "seq1")]),
    *psnr("all", "do_nothing", 9.0, EVERY),
    *psnr("all", "crl_paper", 30.0, SEEN),
    *psnr("all", "crl_paper", 20.0, set(EVERY) - set(SEEN)),
    *rows_of("all", "crl_code", "crl2024_ssim", {("sub-0", "seq5", "seq9"): 91.5}),
]


@pytest.fixture
def chapter(tmp_path):
    summary = [summary_row("all", "crl_paper", "psnr", 25.0, source="seq5", target="seq9")]
    request = request_of(EXPERIMENTS, MODELS, contrasts=CONTRASTS)
    return chapter_of("crl2024", request, tmp_path, metrics=METRICS, summary=summary)


def test_table_2_joins_the_systems_of_both_experiments(chapter):
    part = part_of(chapter, "Table 2")
    psnr_table, ssim_table, body = part.tables
    own = cells_of(psnr_table, "crl_paper")["PD → T2-FLAIR"]
    # 29 and 31 dB: their sample SD is sqrt(2).
    assert (own.text, own.detail) == ("30.00 ± 1.41", "29.40 ± 0.76")
    pgan = cells_of(psnr_table, "pgan")
    assert pgan["PD → T1-FLAIR"].text == "24.00 ± 1.41"
    assert pgan["PD → T1-FLAIR"].detail == "24.50 ± 0.80"
    assert (pgan["T2 → PD"].text, pgan["T2 → PD"].detail) == ("–", "30.08 ± 0.60")
    assert cells_of(psnr_table, "unet")["PD → T2"].detail == ""
    # Of a baseline that both experiments have, the numbers are those of the wider one.
    rows = [row for row in psnr_table.rows if row[0].text.startswith("Do nothing")]
    assert [row[1].text for row in rows] == ["9.00 ± 1.41"]
    assert cells_of(ssim_table, "crl_code")["PD → T2-FLAIR"].text == "91.50"
    assert cells_of(body, "crl_paper")["PD → T2-FLAIR"].text.startswith("25.00")


def test_the_contradiction_of_the_tables_is_told(chapter):
    text = part_of(chapter, "Table 2").text
    assert "Table 2 prints 29.40 dB and its Table 3 26.21 dB" in text
    table = part_of(chapter, "Table 3: all pairs").tables[0]
    assert cells_of(table, "5 (PD)")["9"].detail == "26.21"


def test_table_3_stars_unseen_sequences_and_averages_the_cells(chapter):
    part = part_of(chapter, "Table 3: all pairs")
    table = part.tables[0]
    assert table.columns[4] == "4*" and table.columns[6] == "6*"
    first = cells_of(table, "1 (T1-FLAIR)")
    assert (first["2"].text, first["2"].detail) == ("30.00", "28.18")
    assert first["1"].text == "–"
    # Six seen targets of 30 dB, two unseen of 20; the paper's cells have the mean 24.51, not 24.08.
    assert first["Mean of the cells"].text == "27.50"
    assert first["Mean of the cells"].detail == "24.51"
    hole = cells_of(table, "6*")["5"]
    assert (hole.text, hole.detail) == ("20.00", "")
    assert "24.08 in row 1, whose mean is 24.51" in part.text
    assert "crl_paper: between seen sequences the mean PSNR is 30.00 dB" in part.text
    assert "with an unseen one as source or target 20.00 dB" in part.text


def test_a_network_without_results_says_so(chapter):
    assert (
        "No PSNR of crl_code by the paper's formula" in part_of(chapter, "Table 3: all pairs").text
    )


def test_a_run_of_single_pairs_has_no_table_3(tmp_path):
    request = request_of({"pairs": EXPERIMENTS["pairs"]}, MODELS, contrasts=CONTRASTS)
    chapter = chapter_of("crl2024", request, tmp_path)
    assert "there is no Table 3" in part_of(chapter, "Table 3").text
    # Nothing was measured: a model of the run still stands beside its published row.
    pgan = cells_of(part_of(chapter, "Table 2").tables[0], "pgan")
    assert pgan["PD → T2-FLAIR"].detail == "26.05 ± 1.28"
