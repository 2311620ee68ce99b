import pytest

from pipeline_lib.why.plan import Job, in_order, read_plan, read_reason
from tests.why.fabricate import params, told

HEADER = """Building DAG of jobs...
Job stats:
job       count
------  -------
split         1
total         1

"""
FOOTER = "Job stats:\nReasons:\n    (check individual jobs above for details)\n    rule all:\n"


def job(name, *inputs):
    return Job(name, {}, inputs, (f"{name}.csv",), {}, "")


def test_jobs_are_read_with_their_wildcards_files_and_command():
    text = told(
        "train", "results/train/e/m/fold-0", "Missing output files: results/train/e/m/fold-0",
        inputs="results/slices/d/sub-1, results/slices/d/sub-2",
        wildcards="experiment=e, model=m.T1w.T2w, fold=0", options={"seed": 1},
    )  # fmt: skip
    other = told("report", "results/report.html", "Forced execution", local=True)
    first, second = read_plan(HEADER + text + other + FOOTER)
    assert first.rule == "train"
    assert first.wildcards == {"experiment": "e", "model": "m.T1w.T2w", "fold": "0"}
    assert first.inputs == ("results/slices/d/sub-1", "results/slices/d/sub-2")
    assert first.outputs == ("results/train/e/m/fold-0",)
    assert first.command.endswith("""--options '{"seed": 1}' &> train.log""")
    assert (second.rule, second.reason) == ("report", {"forced": ""})


def test_a_run_with_nothing_to_do_has_no_jobs():
    assert read_plan("Building DAG of jobs...\nNothing to be done (all requested files).\n") == []


def test_a_job_without_a_reason_is_no_dry_run():
    with pytest.raises(ValueError, match="split has no reason"):
        read_plan("rule split:\n    output: a.csv\n")


def test_a_reason_is_taken_apart():
    reason = read_reason(
        "Missing output files: a.csv, b.csv; Updated input files: ; Input files updated by another "
        "job: c.csv; Code has changed since last execution"
    )
    assert reason == {
        "missing": "a.csv, b.csv", "newer": "", "follows": "c.csv", "command": "",
    }  # fmt: skip


def test_what_params_say_is_not_taken_for_another_part():
    changed = params(["a; b"], ["c: d"])
    found = read_reason(
        f"{changed}; Software environment definition has changed since last execution"
    )
    assert set(found) == {"params", "environment"}
    assert found["params"].endswith("before: 'a; b' now: 'c: d'")


def test_jobs_come_after_those_that_make_their_inputs():
    jobs = [job("c", "b.csv", "a.csv"), job("b", "a.csv"), job("a", "raw.nii")]
    assert [each.rule for each in in_order(jobs)] == ["a", "b", "c"]
