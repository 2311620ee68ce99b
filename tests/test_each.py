"""A stage for several patients in one process."""

import json
import logging
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline_lib import each
from pipeline_lib.errors import InputError
from pipeline_lib.files import StorageError

STAGE = "pipeline_lib.stages.scale"
MEMBERS = ("sub-01", "sub-02", "sub-03")


@pytest.fixture
def stage(monkeypatch):
    """A stage that copies what it reads; notes its calls, and fails for whom it is told."""
    calls, failing = [], {}

    def main():
        words = sys.argv
        values = {
            word: [v for v in words[place + 1 :] if not v.startswith("--")]
            for place, word in enumerate(words)
            if word.startswith("--")
        }
        [patient], [output] = values["--patient"][:1], values["--output"][:1]
        calls.append(patient)
        if patient in failing:
            raise failing[patient]
        Path(output).mkdir(parents=True)
        Path(output, "made.txt").write_text(" ".join(words[1:]))

    monkeypatch.setattr(each.importlib, "import_module", lambda name: SimpleNamespace(main=main))
    return SimpleNamespace(calls=calls, failing=failing)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for session in ("sub-01_ses-1", "sub-01_ses-2", "sub-02", "sub-03"):
        (tmp_path / "register/batch-0000" / session).mkdir(parents=True)
    keys = {path.name: "made so" for path in (tmp_path / "register/batch-0000").iterdir()}
    (tmp_path / "register/batch-0000/members.json").write_text(json.dumps(keys))
    (tmp_path / "scale").mkdir()
    return tmp_path


def batch(members=MEMBERS, options="{}", **further):
    words = ["--members", *members, *further.pop("before", []), "--", STAGE]
    words += ["--registered", "register/batch-0000", "--patient", "batch-0000"]
    for option, values in further.items():
        words += [f"--{option}", *values]
    return each.batch_of([*words, "--output", "scale/batch-0000", "--options", options])


def run(*arguments, **named):
    shutil.rmtree("scale/batch-0000", ignore_errors=True)  # as Snakemake does
    each.run_members(*batch(*arguments, **named))


def made(member):
    return Path(f"scale/batch-0000/{member}/made.txt").read_text()


def test_each_member_gets_its_own_folders_name_and_share(stage, folder):
    run(scans=["a1", "a2", "b1", "b2", "c1", "c2"])
    assert stage.calls == list(MEMBERS)
    assert made("sub-01") == (
        "--registered register/batch-0000/sub-01_ses-1 register/batch-0000/sub-01_ses-2"
        " --patient sub-01 --scans a1 a2 --output scale/batch-0000/sub-01 --options {}"
    )
    assert "--registered register/batch-0000/sub-03 --patient sub-03 --scans c1 c2" in made(
        "sub-03"
    )


def test_a_session_finds_its_patients_folder(folder):
    found = each.member_folders(folder / "register/batch-0000", "sub-02_ses-9")
    assert found == [folder / "register/batch-0000/sub-02"]
    with pytest.raises(InputError, match="register/batch-0000 lacks sub-04"):
        each.member_folders(folder / "register/batch-0000", "sub-04")


def test_a_list_that_can_not_be_dealt_out_is_refused(stage, folder):
    with pytest.raises(InputError, match="3 of 3 failed"):
        run(scans=["a1", "a2", "b1", "b2"])


def test_who_failed_is_named_and_the_others_are_kept(stage, folder, caplog):
    stage.failing["sub-02"] = InputError("sub-02 has no body.")
    with caplog.at_level(logging.ERROR), pytest.raises(InputError, match=r"1 of 3 failed.*sub-02"):
        run()
    assert "sub-02 has no body." in caplog.text
    stage.failing.clear()
    stage.calls.clear()
    run()
    assert stage.calls == ["sub-02"]
    assert sorted(json.loads((folder / "scale/batch-0000/members.json").read_text())) == [*MEMBERS]
    assert "--patient sub-03" in made("sub-03")


def test_one_member_more_runs_alone(stage, folder):
    run(MEMBERS[:2])
    stage.calls.clear()
    run()
    assert stage.calls == ["sub-03"]


@pytest.mark.parametrize("change", ["options", "input", "code", "scan"])
def test_whoever_depends_on_a_change_runs_again(stage, folder, monkeypatch, change):
    scans = [folder / f"{member}.nii.gz" for member in MEMBERS]
    for scan in scans:
        scan.write_text("a scan")
    named = {"scans": list(map(str, scans))}
    run(**named)
    stage.calls.clear()
    everyone = True
    if change == "options":
        named["options"] = json.dumps({"percentile": 99, "long": 1000 * "long"})
    elif change == "input":
        keys = json.loads((folder / "register/batch-0000/members.json").read_text())
        keys["sub-01_ses-2"] = "made otherwise"
        (folder / "register/batch-0000/members.json").write_text(json.dumps(keys))
        everyone = False
    elif change == "code":
        monkeypatch.setattr(each, "code_digest", lambda stage, root: "new")
    else:
        (folder / "sub-01.json").write_text("{}")
        everyone = False
    run(**named)
    assert stage.calls == (list(MEMBERS) if everyone else ["sub-01"])


def test_what_is_ancient_moves_nobody(stage, folder):
    run(before=["--ancient=--checked"], checked=["1"])
    stage.calls.clear()
    run(before=["--ancient=--checked"], checked=["2"])
    assert stage.calls == []


def test_nothing_temporary_is_kept_apart_once_all_is_done(stage, folder):
    stage.failing["sub-02"] = InputError("sub-02 has no body.")
    with pytest.raises(InputError):
        run(before=["--temporary"])
    assert (folder / "scale/.members/sub-01/made.txt").exists()
    stage.failing.clear()
    run(before=["--temporary"])
    assert list((folder / "scale/.members").iterdir()) == []


def test_a_full_disk_stops_at_once(stage, folder):
    stage.failing["sub-02"] = OSError(28, "No space left on device")
    with pytest.raises(StorageError, match="no room is left"):
        run()
    assert stage.calls == ["sub-01", "sub-02"]


def test_a_file_system_without_links_keeps_nothing_and_goes_on(stage, folder, monkeypatch):
    def refuse(*arguments, **named):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    run()
    assert "--patient sub-03" in made("sub-03")
    stage.calls.clear()
    run()
    assert stage.calls == list(MEMBERS)
