import pytest

from pipeline_lib.why.causes import Code
from pipeline_lib.why.plan import read_plan
from pipeline_lib.why.records import Records
from pipeline_lib.why.words import counted, described, explain, grouped
from tests.why.fabricate import params, told, write_record
from tests.workflow.conftest import ROOT

CODE = Code(ROOT, ())
PATIENTS = [f"sub-{number:03d}" for number in range(1, 7)]


def bias(patient, reason):
    return told(
        "correct_bias", f"results/correct_bias/pelvis/{patient}", reason,
        inputs=f"results/simulate/pelvis/{patient}",
        wildcards=f"dataset=pelvis, session={patient}",
    )  # fmt: skip


def register(patient):
    corrected = f"results/correct_bias/pelvis/{patient}"
    return told(
        "register", f"results/register/pelvis/{patient}",
        f"Input files updated by another job: {corrected}", inputs=corrected,
        wildcards=f"dataset=pelvis, session={patient}",
    )  # fmt: skip


@pytest.fixture
def shrunk():
    """Jobs after a change of the bias correction's grid; those that follow are told first."""
    reason = params(
        ['{"correct_bias": {"shrink": 4}}'], ['{"correct_bias": {"shrink": 2}}']
    )  # fmt: skip
    follow = [register(patient) for patient in PATIENTS]
    return read_plan("".join([*follow, *(bias(patient, reason) for patient in PATIENTS)]))


def words(text):
    return " ".join(text.split())


def test_jobs_of_one_cause_are_told_together_with_what_follows(shrunk, tmp_path):
    for patient in PATIENTS:
        write_record(tmp_path, f"results/simulate/pelvis/{patient}", "simulate")
    text = explain("results/report.html", shrunk, Records(tmp_path), CODE, everything=False)
    assert words(text) == (
        "For results/report.html, 12 jobs would run. "
        "1. correct_bias of 6 sessions (pelvis), because "
        "datasets.pelvis.correct_bias.shrink went from 4 to 2. "
        "Then follow: register (6). "
        "Not again: simulate (6)."
    )
    assert max(map(len, text.splitlines())) <= 80


def test_all_names_are_told_where_they_are_asked_for(shrunk, tmp_path):
    text = explain("x", shrunk, Records(tmp_path), CODE, everything=True)
    assert "correct_bias of sub-001, sub-002, sub-003, sub-004, sub-005, sub-006" in words(text)


def test_other_causes_are_other_groups(tmp_path):
    texts = [
        bias("sub-001", "Updated input files: a.nii"),
        bias("sub-002", "Updated input files: b.nii"),
        bias("sub-003", "Missing output files: results/correct_bias/pelvis/sub-003"),
        register("sub-003"),
    ]
    newer, missing = grouped(read_plan("".join(texts)), Records(tmp_path), CODE)
    assert [job.wildcards["session"] for job in newer.jobs] == ["sub-001", "sub-002"]
    assert newer.causes[0].files == ("a.nii", "b.nii")
    assert newer.followers == {}
    assert missing.followers == {"register": 1}


def test_what_is_up_to_date_is_said_with_what_it_was_made_by(tmp_path):
    write_record(tmp_path, "results/report.html", "report", ["results/split/e.csv"])
    write_record(tmp_path, "results/split/e.csv", "split")
    text = explain("results/report.html", [], Records(tmp_path), CODE, everything=False)
    assert text == (
        "results/report.html is up to date: nothing would run.\n\nNot again: report, split."
    )


@pytest.mark.parametrize(
    ("wildcards", "said"),
    [
        (["dataset=d, patient=sub-1", "dataset=d, patient=sub-2"], "r of sub-1, sub-2 (d)"),
        ([f"dataset=d, patient=sub-{n}" for n in range(9)], "r of 9 patients (d)"),
        (["experiment=e, model=m, fold=0", "experiment=e, model=m, fold=1"], "r of m (e, 2 folds)"),
        (["experiment=e", "experiment=f"], "r of e, f"),
        ([""], "r"),
    ],
)
def test_what_jobs_are_about(wildcards, said):
    text = "".join(told("r", f"{n}", "Forced execution", wildcards=w) for n, w in
                   enumerate(wildcards))  # fmt: skip
    assert described(read_plan(text), limit=4) == said


def test_rules_are_counted():
    assert counted({"a": 1, "b": 1200}) == "a, b (1,200)"
