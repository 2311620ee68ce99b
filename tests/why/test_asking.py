import argparse
import subprocess

import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.why import asking
from pipeline_lib.why.command import SUMMARY, add_arguments, run
from tests.why.fabricate import told


@pytest.fixture
def answered(monkeypatch):
    """Stand in for Snakemake; gives the command lines that it was called with."""
    calls = []
    answer = {"returncode": 0, "stdout": "", "stderr": ""}

    def call(command, **_):
        calls.append(command)
        return subprocess.CompletedProcess(command, **answer)

    monkeypatch.setattr(asking.subprocess, "run", call)
    monkeypatch.setattr(asking, "find_snakemake", lambda: "snakemake")
    return calls, answer


def arguments(*words):
    parser = argparse.ArgumentParser(description=SUMMARY)
    add_arguments(parser)
    return parser.parse_args(words)


def test_the_configuration_is_asked_for_as_the_user_gave_it(answered, tmp_path, capsys):
    calls, answer = answered
    answer["stdout"] = told("split", "results/split/e.csv", "Forced execution")
    words = [
        "results/split/e.csv",
        "--directory",
        str(tmp_path),
        "--use-conda",
        "--config",
        "seed=3",
    ]
    assert run(arguments(*words, "--configfile", "study.yaml")) == 1
    (command,) = calls
    assert command[command.index("--snakefile") + 2] == "results/split/e.csv"
    assert {"--dry-run", "--use-conda", "seed=3"} <= set(command)
    assert command[-1].endswith("/study.yaml")  # another working directory reads the same file
    assert "1. split, because it was asked for." in capsys.readouterr().out


def test_nothing_to_do_ends_with_0(answered, tmp_path, capsys):
    assert run(arguments("--directory", str(tmp_path))) == 0
    assert "results/report.html is up to date" in capsys.readouterr().out


def test_what_snakemake_refuses_is_one_sentence_of_its_own(answered, tmp_path):
    _, answer = answered
    answer |= {
        "returncode": 1,
        "stdout": "",
        "stderr": 'Using profile x\nWorkflowError in file "/p/common.smk", line 127:\n'
        "scale is 'smok'.\nscale is 'smok'.\n  File \"/p/common.smk\", line 127, in <module>\n",
    }
    with pytest.raises(InputError) as error:
        run(arguments("x.csv", "--directory", str(tmp_path)))
    assert str(error.value) == "Snakemake can't plan x.csv: scale is 'smok'."


def test_a_dry_run_of_another_form_is_told(answered, tmp_path):
    _, answer = answered
    answer["stdout"] = "rule split:\n    output: a.csv\n"
    with pytest.raises(InputError, match=r"split has no reason.*requirements/driver\.txt"):
        run(arguments("--directory", str(tmp_path)))


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="name the one that holds results/"):
        run(arguments("--directory", str(tmp_path / "none")))
