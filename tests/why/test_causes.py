import json
import shlex

import pytest

from pipeline_lib.compare.settings import ABSENT
from pipeline_lib.why.causes import Cause, Code, causes_of, went
from pipeline_lib.why.modules import present_version
from pipeline_lib.why.plan import Job, read_reason
from pipeline_lib.why.records import Records
from tests.why.fabricate import params, write_record
from tests.workflow.conftest import ROOT

CODE = Code(ROOT, ())


def job(reason, rule="correct_bias", command="", inputs=("raw.nii",), **wildcards):
    wildcards = wildcards or {"dataset": "pelvis", "session": "sub-001"}
    return Job(rule, wildcards, inputs, ("out",), read_reason(reason), command)


def texts(*arguments, code=CODE):
    return [cause.text for cause in causes_of(*arguments, code)]


def changed(before, now):
    return params([json.dumps(before)], [json.dumps(now)])


def test_a_setting_is_named_as_in_the_configuration():
    before = {"correct_bias": {"shrink": 4, "field": "shared"}, "contrasts": ["T1w"]}
    now = {"correct_bias": {"shrink": 2, "field": "shared"}, "contrasts": ["T1w", "T2w"]}
    assert texts(job(changed(before, now)), None) == [
        "datasets.pelvis.correct_bias.shrink went from 4 to 2",
        "datasets.pelvis.contrasts gained T2w",
    ]


def test_a_setting_of_a_model_of_one_pair_is_that_models():
    reason = changed({"model": {"steps": 8}}, {"model": {"steps": 9}})
    of = job(reason, "train", experiment="e", model="pgan.PDw.T2w", fold="0")
    assert texts(of, None) == ["models.pgan.steps went from 8 to 9"]


def test_swapped_times_are_two_settings():
    before = {"contrasts": {"T1w": {"te": 0.01, "tr": 0.5}}}
    now = {"contrasts": {"T1w": {"te": 0.5, "tr": 0.01}}}
    assert texts(job(changed(before, now)), None) == [
        "datasets.pelvis.contrasts.T1w.te went from 0.01 to 0.5",
        "datasets.pelvis.contrasts.T1w.tr went from 0.5 to 0.01",
    ]


def test_the_report_names_what_changed_in_the_configuration_once():
    before = {"seed": 1, "configuration": {"seed": 1, "scale": "smoke"}, "datasets": {"a": 1}}
    now = {"seed": 2, "configuration": {"seed": 2, "scale": "smoke"}, "datasets": {"a": 2}}
    assert texts(job(changed(before, now), "report"), None) == ["seed went from 1 to 2"]


def test_names_that_came_and_went():
    assert went("x", ["a", "b"], ["b", "c"]) == "x gained c and lost a"
    assert went("x", ["a", "b"], ["b", "a"]) == "x came in another order"
    assert went("x", ABSENT, None) == "x is new (null)"
    assert went("x", {"y": 1}, ABSENT) == 'x is gone (it was {"y": 1})'
    assert went("x", [1, 2], [1, 3]) == "x went from [1, 2] to [1, 3]"
    assert len(went("x", "a" * 500, 1)) < 100


def test_files_that_a_job_is_given_are_named():
    reason = params([["a.nii", "b.nii"]], [["a.nii", "c.nii"]])
    assert texts(job(reason), None) == ["what it is given gained c.nii and lost b.nii"]


def test_patients_who_come_into_a_batch_are_named():
    reason = params(*(
        [f"pipeline_lib.each --members {names} -- "] for names in ("sub-01", "sub-01 sub-07")
    ))  # fmt: skip
    assert texts(job(reason), None) == ["what it is given gained sub-07"]


def test_params_that_nothing_is_known_of_are_the_command_line():
    assert texts(job(params(["4 threads"], ["8 threads"])), None) == [
        "its command line is another one"
    ]


def test_changed_code_names_its_modules():
    now = present_version(["register"], ROOT)
    before = json.loads(json.dumps(now))
    before["stages"]["register"] = "0" * 16
    before["modules"]["pipeline_lib.imaging.registration"] = "other"
    reason = params([f"register@{'0' * 16}"], [f"register@{now['stages']['register']}"])
    code = Code(ROOT, (before,))
    of = job(reason, "register")
    assert texts(of, None, code=code) == [
        "the code of register changed: pipeline_lib.imaging.registration"
    ]
    assert texts(of, None) == [
        "the code of register changed (in which modules, no record of its run tells)"
    ]


def test_another_system_is_a_setting_and_no_other_code():
    codes = [f"{stage}@{'0' * 16}" for stage in ("train_unet", "train_pgan")]
    models = [json.dumps({"model": {"system": system}}) for system in ("unet", "pgan")]
    reason = params([models[0], codes[0], "train_unet"], [models[1], codes[1], "train_pgan"])
    of = job(reason, "train", experiment="e", model="m", fold="0")
    assert texts(of, None) == ['models.m.system went from "unet" to "pgan"']


def test_options_with_quotes_are_read_from_the_command(tmp_path):
    options = {"correct_bias": {"note": 'it\'s "1"'}}
    write_record(tmp_path, "out", "correct_bias", [], {"correct_bias": {"note": "x"}})
    command = f"python -m x --options {shlex.quote(json.dumps(options))} &> log"
    of = job("Input files updated by another job: raw.nii", command=command)
    (text,) = texts(of, Records(tmp_path).of("out"))
    assert text.startswith("datasets.pelvis.correct_bias.note went from")


def test_a_job_that_follows_has_no_cause_of_its_own():
    reason = "Missing output files: out; Input files updated by another job: raw.nii"
    assert texts(job(reason), None) == []


def test_a_job_that_follows_tells_what_else_changed(tmp_path):
    recorded = {"correct_bias": {"shrink": 4}, "split": {"test": 1}}
    code = [f"correct_bias@{CODE.digest('correct_bias')}"]
    write_record(tmp_path, "out", "correct_bias", [], recorded, code)
    record = Records(tmp_path).of("out")
    command = """python -m x --options '{"correct_bias": {"shrink": 2}}' &> log"""
    of = job("Input files updated by another job: raw.nii", command=command)
    assert texts(of, record) == ["datasets.pelvis.correct_bias.shrink went from 4 to 2"]
    same = job("Input files updated by another job: raw.nii", command=command.replace("2", "4"))
    assert texts(same, record) == []


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("Missing output files: out", Cause("it has no result yet")),
        ("Incomplete output files: out", Cause("a run was stopped in the middle of it")),
        (
            "Updated input files: a.nii, b.nii",
            Cause("what it reads is newer than what it made", ("a.nii", "b.nii")),
        ),
        ("Forced execution", Cause("it was asked for")),
        (
            "Code has changed since last execution",
            Cause("the command line of rule correct_bias changed"),
        ),
    ],
)
def test_other_reasons_in_words(reason, cause):
    assert causes_of(job(reason), None, CODE) == [cause]


def test_a_result_that_was_there_is_gone(tmp_path):
    write_record(tmp_path, "out", "correct_bias")
    (cause,) = causes_of(job("Missing output files: out"), Records(tmp_path).of("out"), CODE)
    assert cause == Cause("its result is gone", ("out",))


def test_another_environment_is_told():
    reason = "Software environment definition has changed since last execution"
    assert "software environment" in texts(job(reason), None)[0]


def test_other_input_files_are_named(tmp_path):
    write_record(tmp_path, "out", "correct_bias", ["a", "b"])
    of = job("Set of input files has changed since last execution", inputs=("a", "c", "d"))
    (cause,) = causes_of(of, Records(tmp_path).of("out"), CODE)
    assert cause == Cause("it reads other files (2 more and 1 less)", ("c", "d", "b"))


def test_a_report_that_follows_does_not_repeat_the_settings(tmp_path):
    write_record(tmp_path, "out", "report", [], {"configuration": {"seed": 1}})
    command = """python -m x --options '{"configuration": {"seed": 2}}' &> log"""
    of = job("Input files updated by another job: raw.nii", "report", command)
    assert texts(of, Records(tmp_path).of("out")) == []
