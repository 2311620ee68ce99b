import os
import shutil
from types import SimpleNamespace

import pytest
import yaml

from pipeline_lib.cli import main
from tests.disk.fabricate import TINY


@pytest.fixture
def folder(tmp_path):
    config = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return tmp_path


def test_the_table_says_what_is_needed_what_is_there_and_what_is_intermediate(folder, capsys):
    for place in ("sub-001/anat", "derivatives/truth/sub-001"):
        (folder / "results/simulate/pelvis" / place).mkdir(parents=True)
        (folder / f"results/simulate/pelvis/{place}/map.nii.gz").write_bytes(bytes(250_000))
    assert main(["disk", "--directory", str(folder)]) == 0
    output = capsys.readouterr().out
    lines = {line[:30].strip(): line[30:].split() for line in output.splitlines()}
    assert "nothing is tested on pictures" in output
    assert lines["simulate *"][2:] == lines["simulate (truth)"][2:] == ["0.25", "MB"]
    assert lines["correct_bias *"][2:] == ["0", "MB"]
    assert lines["total"][2:] == ["0.5", "MB"]
    assert "scale" not in lines
    assert output.splitlines()[-1].startswith("results/ will need about ")


def test_what_a_batch_keeps_of_its_patients_counts_once(folder, capsys):
    slices = folder / "results/slices/pelvis"
    for place in ("batch-0000/sub-001", ".members/sub-001"):
        (slices / place).mkdir(parents=True)
    (slices / "batch-0000/sub-001/images.npy").write_bytes(bytes(300_000))
    os.link(slices / "batch-0000/sub-001/images.npy", slices / ".members/sub-001/images.npy")
    main(["disk", "--directory", str(folder), "--config", "patients_per_job=50"])
    line = next(li for li in capsys.readouterr().out.splitlines() if li.startswith("slices"))
    assert line.endswith(" 0.3 MB")


def test_a_full_disk_is_said_and_is_the_exit_status(folder, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    assert main(["disk", "--directory", str(folder)]) == 1
    assert f"The disk of {folder}/results has 0 MB free" in capsys.readouterr().out


def test_settings_of_the_command_line_count(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)

    def trained(*settings):
        assert main(["disk", "--configfile", "config/config.yaml", *settings]) == 0
        return next(line for line in capsys.readouterr().out.splitlines() if "(checkp" in line)

    assert "GB" not in trained()
    assert "GB" in trained("--config", "scale=paper")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--configfile", "none.yaml"], "none.yaml is not there; name a configuration"),
        (["--directory", "none"], "none is no folder; make it, or correct --directory."),
        (["--config", "scale"], "--config scale has no value; write scale=VALUE."),
        (["--config", "scale=huge"], "scale is 'huge'; allowed: smoke, reduced, paper."),
    ],
)
def test_bad_input_is_one_sentence(folder, monkeypatch, capsys, arguments, sentence):
    monkeypatch.chdir(folder)
    assert main(["disk", *arguments]) == 2
    assert sentence in capsys.readouterr().err
