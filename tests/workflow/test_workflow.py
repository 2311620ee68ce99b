"""The workflow itself, run on a tiny configuration."""

import json
import platform
import re

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline_lib.cli import main
from tests.crate.validator import problems
from tests.workflow.conftest import ROOT, TINY, planned, write_config

pytestmark = pytest.mark.workflow


def test_a_run_ends_in_a_report_and_in_tables(finished):
    assert (finished / "results/report.html").stat().st_size > 10_000
    metrics = pd.read_parquet(finished / "results/evaluation/metrics.parquet")
    columns = "experiment dataset model fold group parameters patient source target region metric"
    assert list(metrics.columns[:11]) == columns.split()
    answers = {"do_nothing", "look_up_table", "nearest_copy", "least_squares", "training_mean"}
    ceilings = {"noise_ceiling", "registration_ceiling"}
    assert {"unet", "simko"} | answers | ceilings <= set(metrics["model"])
    split = pd.read_csv(finished / "results/split/pelvis.csv")
    for group, rows in metrics.query("experiment == 'pelvis'").groupby("group"):
        known = {"external": {"sub-pictures"}}
        tested = known.get(group, set(split.loc[split["split"] == group, "patient"]))
        assert set(rows["patient"]) == tested


def test_no_patient_is_trained_on_and_tested_but_those_kept_apart(finished):
    split = pd.read_csv(finished / "results/split/pelvis.csv")
    of = {part: set(rows["patient"]) for part, rows in split.groupby("split")}
    assert not of["test"] & (of["train"] | of["validation"])
    assert of["seen"] <= of["train"]
    summary = pd.read_csv(finished / "results/evaluation/summary.csv")
    assert set(summary.query("experiment == 'pelvis'")["n"]) == {1}


def test_a_leaked_split_scores_held_out_images_of_the_patient_it_was_trained_on(finished):
    split = pd.read_csv(finished / "results/split/leaked.csv")
    assert set(split["patient"]) == {"sub-001"}
    assert not split.duplicated(["slice", "contrast"]).any()
    metrics = pd.read_parquet(finished / "results/evaluation/metrics.parquet")
    assert set(metrics.query("experiment == 'leaked'")["patient"]) == {"sub-001"}
    assert "leaked split" in (finished / "results/report.html").read_text()


def test_simkos_maps_and_boundaries_are_measured(finished):
    decided = pd.read_csv(finished / "results/decide/pelvis/simko/fold-0.csv")
    assert set(decided["images"]) == {"acquired", "generated"}
    shares = decided.groupby(["images", "sweep", "te", "tr"])["share"].sum()
    np.testing.assert_allclose(shares, 1, atol=1e-4)
    maps = pd.read_csv(finished / "results/evaluation/maps.csv")
    assert set(maps["parameter"]) == {"PD", "T1", "T2"}


def test_a_result_compared_with_itself_is_the_same(finished):
    assert main(["compare", str(finished / "results"), str(finished)]) == 0


def test_systems_of_one_pair_are_trained_for_each_and_compared_on_the_same_pairs(finished):
    trained = {path.name for path in (finished / "results/train/one_pair").iterdir()}
    assert trained == {"unet", "pgan.PDw.T2w", "pgan.T1w.T2w"}
    metrics = pd.read_parquet(finished / "results/evaluation/metrics.parquet")
    for _, rows in metrics.query("experiment == 'one_pair'").groupby("model"):
        assert set(zip(rows["source"], rows["target"], strict=True)) == {
            ("PDw", "T2w"), ("T1w", "T2w"),
        }  # fmt: skip


def test_threads_and_gpus_of_a_training_rerun_nothing(finished, snakemake, tmp_path):
    models = yaml.safe_load(TINY.read_text())["models"]
    models["unet"] |= {"threads": 2, "gpus": 1}
    config = write_config(tmp_path, models=models)
    output = snakemake(finished, "results/report.html", "-n", configfile=config).stdout
    assert planned(output) <= {"report"}


def test_every_job_leaves_a_log_and_a_benchmark(finished):
    for rule in ("simulate", "correct_bias", "register", "train", "evaluate", "report"):
        assert list((finished / "results/logs").rglob(f"{rule}*"))
        assert list((finished / f"results/benchmarks/{rule}").rglob("*.tsv"))


def test_a_run_records_every_job_with_its_code_and_its_cost(finished, monkeypatch, tmp_path):
    results = finished / "results"
    run = json.loads((results / "run.json").read_text())
    assert run["started"] < run["ended"]
    assert run["packages"]["stages"]["python"] == platform.python_version()
    jobs = pd.read_csv(results / "jobs.csv", keep_default_na=False)
    folder = results / "benchmarks"
    made = {str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.tsv")}
    assert set(jobs["rule"] + "/" + jobs["job"].where(jobs["job"] != "", jobs["rule"])) == made
    # What is written beside Snakemake is no stage.
    assert set(jobs["rule"][jobs["code"] == ""]) == {"patients"}
    trained = jobs[(jobs["rule"] == "train") & jobs["job"].str.contains("simko")]
    assert set(trained["code"].str.partition("@")[0]) == {"train_simko"}
    assert main(["crate", str(results), "--output", str(tmp_path / "crate")]) == 0
    assert problems(tmp_path / "crate", monkeypatch) == []


def test_a_second_run_does_nothing(finished, snakemake):
    assert "Nothing to be done" in snakemake(finished, "results/report.html", "-n").stdout


def test_a_changed_model_reruns_its_training_alone(finished, snakemake, tmp_path):
    models = yaml.safe_load(TINY.read_text())["models"]
    models["unet"]["steps"] += 1
    config = write_config(tmp_path, models=models)
    output = snakemake(finished, "results/report.html", "-n", configfile=config).stdout
    of_model = {"train", "predict", "evaluate", "predict_external", "evaluate_external"}
    assert planned(output) == of_model | {"evaluation", "report"}
    assert "model=simko" not in output


def test_one_more_virtual_patient_leaves_the_others_as_they_are(finished, snakemake, tmp_path):
    datasets = yaml.safe_load(TINY.read_text())["datasets"]
    datasets["pelvis"]["virtual"]["patients"] += 1
    config = write_config(tmp_path, datasets=datasets)
    output = snakemake(finished, "results/report.html", "-n", configfile=config).stdout
    assert "sub-004" in output
    assert "correct_bias/pelvis/sub-001" not in re.sub(r"input:.*", "", output)


def test_swapped_times_are_noticed(finished, snakemake, tmp_path):
    datasets = yaml.safe_load(TINY.read_text())["datasets"]
    t2w, t1w = (datasets["pelvis"]["contrasts"][name] for name in ("T2w", "T1w"))
    t2w["te"], t1w["te"] = t1w["te"], t2w["te"]
    config = write_config(tmp_path, datasets=datasets)
    output = snakemake(finished, "results/report.html", "-n", configfile=config).stdout
    assert "simulate" in planned(output)


def test_a_wrong_setting_stops_before_any_job(snakemake, tmp_path):
    config = write_config(tmp_path, scale="smok")
    done = snakemake(tmp_path, "results/report.html", configfile=config, check=False)
    assert done.returncode != 0
    assert "scale is 'smok'; allowed: smoke, reduced, paper (did you mean smoke?)." in done.stdout
    assert not (tmp_path / "results").exists()
    assert "Traceback" not in done.stdout


@pytest.fixture
def bids_copy(finished, tmp_path):
    """Two tiny raw patients in a BIDS folder of the test's own, and a configuration for it."""
    root = tmp_path / "raw"
    for patient in ("sub-001", "sub-002"):
        source = finished / "results/simulate/pelvis" / patient / "anat"
        for file in source.iterdir():
            copy = root / patient / "anat" / file.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    tiny = yaml.safe_load(TINY.read_text())
    contrasts = dict.fromkeys(tiny["datasets"]["pelvis"]["contrasts"])
    config = write_config(
        tmp_path,
        datasets={
            "copy": {
                "bids": {"root": str(root)},
                "contrasts": contrasts,
                "reference": "PDw",
                "segment": {"tissues": "none"},
                "slices": {"size": [48, 48]},
            }
        },
        experiments={
            "copy": {
                "dataset": "copy",
                "split": {"train": ["sub-001"], "test": ["sub-002"]},
                "models": ["unet"],
            }
        },
    )
    return root, config


def test_a_truncated_scan_stops_its_patient_and_no_other(bids_copy, snakemake, tmp_path):
    root, config = bids_copy
    broken = root / "sub-002/anat/sub-002_T1w.nii.gz"
    broken.write_bytes(broken.read_bytes()[:2000])
    done = snakemake(tmp_path, "results/report.html", configfile=config, check=False)
    assert done.returncode != 0
    sentence = next(line for line in done.stdout.splitlines() if "Error: " in line)
    assert str(broken) in sentence
    assert "Traceback" not in done.stdout
    assert (tmp_path / "results/slices/copy/sub-001").exists()
    assert not (tmp_path / "results/slices/copy/sub-002").exists()


def test_two_scans_of_one_contrast_stop_the_start(bids_copy, snakemake, tmp_path):
    root, config = bids_copy
    scan = root / "sub-001/anat/sub-001_T1w.nii.gz"
    scan.with_name("sub-001_T1w.nii").write_bytes(b"")
    done = snakemake(tmp_path, "results/report.html", configfile=config, check=False)
    assert "sub-001_T1w.nii" in done.stdout
    assert done.returncode != 0
    assert not (tmp_path / "results").exists()


def test_times_in_milliseconds_stop_their_patient(bids_copy, snakemake, tmp_path):
    root, config = bids_copy
    sidecar = root / "sub-001/anat/sub-001_T2w.json"
    content = json.loads(sidecar.read_text())
    sidecar.write_text(json.dumps(content | {"EchoTime": 1000 * content["EchoTime"]}))
    target = "results/check_scans/copy/sub-001"
    done = snakemake(tmp_path, target, configfile=config, check=False)
    assert done.returncode != 0
    assert re.search(r"sub-001_T2w\.json.*milliseconds", done.stdout)


def test_the_files_of_the_workflow_are_free_of_configuration_reads():
    for path in (ROOT / "workflow").rglob("*.smk"):
        if path.name != "configuration.smk":
            assert "config[" not in path.read_text(), f"{path.name} reads the configuration itself"


def test_every_rule_names_its_environment_its_log_and_its_benchmark():
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        rules = re.split(r"^rule ", path.read_text(), flags=re.MULTILINE)[1:]
        for rule in rules:
            own = () if "script:" in rule else ("conda:",)  # a script runs beside Snakemake
            for directive in (*own, "log:", "benchmark:", "params:"):
                assert directive in rule, f"{path.name}: {rule.split(':')[0]} lacks {directive}"


def test_dicom_folders_are_converted_patient_by_patient(snakemake, tmp_path):
    for patient in ("Pat A", "Pat B"):
        (tmp_path / "dicom" / patient).mkdir(parents=True)
    config = write_config(
        tmp_path,
        datasets={
            "clinic": {
                "dicom": {"root": str(tmp_path / "dicom")},
                "contrasts": {"T1w": {"series": "*t1*"}, "T2w": {"series": "*t2*"}},
                "reference": "T1w",
                "segment": {"tissues": "none"},
                "fit_maps": {"activate": False},
            }
        },
        experiments={
            "clinic": {
                "dataset": "clinic",
                "split": {"train": ["sub-PatA"], "test": ["sub-PatB"]},
                "models": ["unet"],
            }
        },
    )
    output = snakemake(tmp_path, "results/report.html", "-n", configfile=config).stdout
    assert {"convert_dicom", "check_scans", "register", "train"} <= planned(output)
    assert "results/convert_dicom/clinic/sub-PatB" in output
