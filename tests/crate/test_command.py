"""A results folder as a Workflow Run RO-Crate."""

import getpass
import json
import zipfile

import pytest

from pipeline_lib.cli import main
from pipeline_lib.files import write_json
from pipeline_lib.runs import end_run, start_run
from tests.crate.validator import problems

CONFIGURATION = {
    "seed": 7,
    "datasets": {
        "brain": {"virtual": {"patients": 2}},
        "clinic": {"bids": {"root": "/home/somebody/study"}},
    },
}
FACTS = {
    "configuration": CONFIGURATION,
    "commit": None,
    "dirty": True,
    "versions": {"snakemake": "9.27.1"},
    "packages": {
        "driver": {"snakemake": "9.27.1"},
        "stages": {"numpy": "2.3.5", "python": "3.11.7"},
    },
    "machine": {"cores": 8, "processor": "A", "memory_gib": 16.0, "gpus": [], "system": "L",
                "kernel": "L 6"},
    "rules": {
        "register": {"code": "register@1", "cores": 2, "gpus": 0},
        "train unet": {"code": "train_unet@2", "cores": 1, "gpus": 1},
    },
}  # fmt: skip
FILES = {
    "evaluation/summary.csv": "experiment,mean\na,1\n",
    "split/one.csv": "fold,patient,split\n0,sub-secret,train\n",
    "register/brain/sub-secret/T1w.nii.gz": "image",
    "train/one/unet/fold-0/card.json": "{}",
    "report.html": "<html></html>",
    "split/.partial-7-two.csv": "half",
    "checkpoints/one/x.safetensors": "x",
    "logs/register/brain/sub-secret.log": "log",
}
LICENCE = "https://creativecommons.org/licenses/by/4.0/"


def add_job(results, name, seconds, cpu):
    path = results / f"benchmarks/{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\tmax_rss\tcpu_time\n{seconds}\t0:00:01\t100.5\t{cpu}\n")


@pytest.fixture
def results(tmp_path):
    """Results of a run that failed and of one that went on from there."""
    folder = tmp_path / "results"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    start_run(folder, FACTS)
    add_job(folder, "register/brain/sub-secret", 3600, 1800)
    end_run(folder, "failed")
    first = json.loads((folder / "run.json").read_text())
    # As if it had been another day.
    (folder / "benchmarks/register/brain/sub-secret.tsv").unlink()
    write_json(folder / "run.json", first | {"started": "2026-01-01T00:00:00+00:00"})
    table = (folder / "jobs.csv").read_text()
    (folder / "jobs.csv").write_text(table.replace(first["started"], "2026-01-01T00:00:00+00:00"))
    start_run(folder, FACTS)
    add_job(folder, "train/one/unet/fold-0", 7200, 7000)
    end_run(folder, "finished")
    return folder


def read(crate):
    graph = json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]
    assert len({each["@id"] for each in graph}) == len(graph)
    return {each["@id"]: each for each in graph}


def names_in(crate):
    return {str(path.relative_to(crate)) for path in crate.rglob("*") if path.is_file()}


def test_the_crate_is_valid_and_tells_both_runs(results, tmp_path, monkeypatch):
    crate = tmp_path / "crate"
    words = ["crate", str(results), "--output", str(crate), "--agent", "A. Person"]
    assert main(words) == 0
    entities = read(crate)
    runs = [
        each for each in entities.values()
        if each["@type"] == "CreateAction" and each["instrument"] == {"@id": "Snakefile"}
    ]  # fmt: skip
    assert [run["actionStatus"].rpartition("/")[2] for run in runs] == [
        "FailedActionStatus", "CompletedActionStatus",
    ]  # fmt: skip
    assert runs[0]["error"] == "At least one job failed."
    assert runs[1]["agent"] == {"@id": "#agent"}
    assert [run["result"] for run in runs] == [
        {"@id": "#results/register"}, {"@id": "#results/train"},
    ]  # fmt: skip
    (trained,) = [each for each in entities.values() if each.get("name") == "train, 1 job"]
    hours = {
        entities[part["@id"]]["name"]: entities[part["@id"]]["value"]
        for part in trained["resourceUsage"]
    }
    assert hours == {
        "wall-clock hours": 2, "CPU hours": pytest.approx(7000 / 3600, abs=1e-6),
        "core hours": 2, "GPU hours": 2, "largest memory": 100.5,
    }  # fmt: skip
    assert trained["result"] == {"@id": "#results/train"}
    tool = entities[trained["instrument"]["@id"]]
    assert tool["softwareVersion"] == "2"
    environment = entities[tool["softwareRequirements"]["@id"]]
    assert environment["softwareVersion"] == "3.11.7"
    assert entities[environment["softwareRequirements"]["@id"]]["softwareVersion"] == "2.3.5"
    assert problems(crate, monkeypatch) == []


def test_a_crate_that_lacks_what_the_profile_wants_is_found(results, tmp_path, monkeypatch):
    crate = tmp_path / "crate"
    main(["crate", str(results), "--output", str(crate)])
    path = crate / "ro-crate-metadata.json"
    path.write_text(path.read_text().replace('"HowToStep"', '"CreativeWork"'))
    assert problems(crate, monkeypatch)


def test_by_default_nothing_names_a_patient_a_path_or_a_user(results, tmp_path):
    crate = tmp_path / "crate"
    main(["crate", str(results.parent), "--output", str(crate)])
    assert names_in(crate) >= {"Snakefile", "LICENSE", "configuration.json", "runs.json"}
    assert not [name for name in names_in(crate) if name.startswith("results")]
    words = "".join((crate / name).read_text() for name in names_in(crate))
    for secret in ("sub-secret", "/home/", str(tmp_path), f"/{getpass.getuser()}/"):
        assert secret not in words
    read_back = json.loads((crate / "configuration.json").read_text())
    assert read_back["datasets"]["clinic"]["bids"]["root"] == ".../study"
    assert read_back["seed"] == 7


def test_what_is_asked_for_is_copied_and_nothing_else(results, tmp_path, monkeypatch):
    crate = tmp_path / "crate"
    words = ["--copy", "tables", "report", "--licence", LICENCE, "--keep-paths"]
    main(["crate", str(results), "--output", str(crate), *words])
    copied = {name for name in names_in(crate) if name.startswith("results")}
    assert copied == {
        "results/jobs.csv", "results/evaluation/summary.csv", "results/split/one.csv",
        "results/report.html",
    }  # fmt: skip
    entities = read(crate)
    summary = entities["results/evaluation/summary.csv"]
    assert (summary["contentSize"], summary["encodingFormat"]) == ("20", "text/csv")
    assert {"@id": "results/report.html"} in entities["./"]["hasPart"]
    assert entities["./"]["license"] == {"@id": LICENCE}
    assert "/home/somebody/study" in (crate / "configuration.json").read_text()
    assert problems(crate, monkeypatch) == []


def test_a_crate_is_a_zip_file_too(results, tmp_path):
    for _ in range(2):  # the second replaces the first
        assert main(["crate", str(results), "--output", str(tmp_path / "crate.zip")]) == 0
    with zipfile.ZipFile(tmp_path / "crate.zip") as archive:
        assert {"ro-crate-metadata.json", "Snakefile", "README.md"} <= set(archive.namelist())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--copy", "images"], "--copy images needs --licence URL"),
        (["--orcid", "https://orcid.org/0"], "--orcid needs --agent NAME"),
    ],
)
def test_what_is_missing_is_asked_for(results, tmp_path, capsys, words, sentence):
    assert main(["crate", str(results), "--output", str(tmp_path / "crate"), *words]) == 2
    assert sentence in capsys.readouterr().err


def test_a_folder_that_is_no_crate_is_left_alone(results, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("years")
    assert main(["crate", str(results), "--output", str(tmp_path / "mine")]) == 2
    assert "is no crate; name a new folder" in capsys.readouterr().err
    assert (tmp_path / "mine/thesis.tex").read_text() == "years"


def test_results_without_a_recorded_job_are_told(tmp_path, capsys):
    write_json(tmp_path / "results/run.json", {"commit": "old"})
    assert main(["crate", str(tmp_path / "results"), "--output", str(tmp_path / "crate")]) == 2
    assert "run the workflow in it once more" in capsys.readouterr().err
