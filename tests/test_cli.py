"""The command `recontrast`: its exit status, its sentences, what it needs."""

import json
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from pipeline_lib.cli import main
from tests.compare.fabricate import results

ROOT = Path(__file__).parents[1]


def test_the_same_results_end_with_0_and_others_with_1(tmp_path, capsys):
    first, second = results(tmp_path / "a"), results(tmp_path / "b", t1=1.5)
    assert main(["compare", str(first), str(first)]) == 0
    assert "They are the same" in capsys.readouterr().out
    assert main(["compare", str(first), str(second)]) == 1
    assert "They differ in numbers" in capsys.readouterr().out
    assert main(["compare", str(first), str(second), "--tolerance", "0.1"]) == 0


def test_a_folder_without_results_ends_with_2_and_one_sentence(tmp_path, capsys):
    assert main(["compare", str(tmp_path), str(tmp_path)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"Error: {tmp_path} is no results folder")
    assert len(shown.err.splitlines()) == 1


@pytest.mark.parametrize("tolerance", ["-1", "1", "nan", "x"])
def test_a_wrong_tolerance_ends_with_2(tolerance, capsys):
    with pytest.raises(SystemExit) as end:
        main(["compare", "a", "b", f"--tolerance={tolerance}"])
    assert end.value.code == 2
    assert "from 0 to below 1" in capsys.readouterr().err


def test_json_can_be_read_back(tmp_path, capsys):
    folder = str(results(tmp_path / "a"))
    assert main(["compare", folder, folder, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "same"


def test_who_reads_a_part_of_the_output_gets_no_traceback(tmp_path):
    first, second = results(tmp_path / "a"), results(tmp_path / "b", t1=1.5)
    command = [sys.executable, "-m", "pipeline_lib.cli", "compare", str(first), str(second)]
    with subprocess.Popen(command, cwd=ROOT, stdout=-1, stderr=-1) as process:
        process.stdout.close()
        errors = process.stderr.read()
    assert (process.returncode, errors) == (2, b"")


def test_the_help_loads_nothing_large_and_a_comparison_no_torch(tmp_path):
    folder = str(results(tmp_path))
    for words, absent in ((["-h"], {"pandas"}), (["compare", folder, folder], {"torch", "ants"})):
        code = (
            "import sys\nfrom pipeline_lib.cli import main\n"
            f"try: main({words})\nexcept SystemExit: pass\n"
            f"sys.exit(len({absent} & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True)
        assert done.returncode == 0, done.stderr


def test_the_package_installs_the_command():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [(name, target)] = project["scripts"].items()
    assert name == "recontrast"
    assert EntryPoint(name, target, "console_scripts").load() is main
