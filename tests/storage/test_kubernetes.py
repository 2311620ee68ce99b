"""What Kubernetes is asked for, and jobs that share nothing but the bucket with Snakemake."""

import csv
import os
import subprocess

import nibabel
import numpy as np
import pytest
import yaml

from tests.storage.bucket import KEYS
from tests.storage.kubernetes import Cluster, container_of
from tests.workflow.conftest import ROOT, TINY

pytestmark = [pytest.mark.storage, pytest.mark.slow]
PATIENTS = ("sub-001", "sub-002", "sub-003")
TRAINED = "results/train/pelvis/unet/fold-0"
CHECKED = "results/check_scans/mine/sub-001"
CORRECTED = "results/correct_bias/pelvis/sub-001"


@pytest.fixture
def checkout(tmp_path):
    """A clone with what is not committed yet: pods get the files that git knows."""
    folder = tmp_path / "checkout"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout
    for name in filter(None, names.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():
            (folder / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(["git", "add", "--all"], check=True, cwd=folder)
    (folder / ".venv").mkdir()
    (folder / ".venv/stages").symlink_to(ROOT / ".venv/stages")
    return folder


def configuration(folder, unet=(), **changes):
    """The tiny configuration in a file of the checkout, with other settings."""
    settings = yaml.safe_load(TINY.read_text()) | changes
    settings["models"]["unet"] |= dict(unet)
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    return path


def raw_scans(folder):
    """A BIDS folder of three patients."""
    for patient in PATIENTS:
        for contrast in ("T1w", "PDw"):
            path = folder / patient / "anat" / f"{patient}_{contrast}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(np.ones((9, 8, 4), np.float32), np.eye(4)), path)
            path.with_name(f"{patient}_{contrast}.json").write_text("{}")
    return folder


@pytest.fixture
def submit(snakemake, checkout):
    """Run Snakemake on a cluster, and end both."""

    def call(cluster, target, check=True, **changes):
        try:
            return snakemake(
                "kubernetes", target, "--seconds-between-status-checks", "1", cwd=checkout,
                configfile=configuration(checkout, **changes), check=check,
                KUBECONFIG=str(cluster.config),
            )  # fmt: skip
        finally:
            cluster.stop()

    return call


@pytest.fixture
def image(programs):
    """Variables of a container, as containers/Dockerfile sets them."""
    return {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "RECONTRAST_STAGES": str(ROOT / ".venv/stages"),
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_FIND_LINKS": str(programs.parent / "wheels"),
    }


def put_inputs_of_training(server):
    slices = [f"results/slices/pelvis/{patient}/slices.json" for patient in PATIENTS]
    server.put(*slices, "results/split/pelvis.csv")


def test_a_training_asks_for_its_gpu_its_memory_and_its_checkpoints(server, submit, tmp_path):
    put_inputs_of_training(server)
    cluster = Cluster(tmp_path)
    done = submit(cluster, TRAINED, check=False, unet={"gpus": 1, "threads": 4})
    assert len(cluster.jobs) == 3, done.stdout[-6000:]
    first, second, _ = map(container_of, cluster.jobs.values())
    profile = yaml.safe_load((ROOT / "profiles/kubernetes/config.yaml").read_text())
    assert first["image"] == profile["container-image"]
    assert first["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert first["resources"]["requests"]["nvidia.com/gpu"] == "1"
    assert first["resources"]["limits"]["cpu"] == "4000m"
    memory = [int(each["resources"]["limits"]["memory"].rstrip("M")) for each in (first, second)]
    assert memory[0] >= 6000
    assert memory[1] == 2 * memory[0]
    places = {mount["name"]: mount["mountPath"] for mount in first["volumeMounts"]}
    assert places["recontrast-checkpoints"] == "/workdir/results/checkpoints"
    assert set(KEYS) <= {variable["name"] for variable in first["env"]}
    assert set(KEYS.values()) <= set(next(iter(cluster.secrets.values())).values())
    assert not any(secret in str(cluster.jobs) for secret in KEYS.values())


def test_jobs_that_read_raw_scans_are_submitted_too(submit, tmp_path):
    cluster = Cluster(tmp_path)
    bids = {"root": str(raw_scans(tmp_path / "bids"))}
    dataset = {"bids": bids, "contrasts": {"T1w": None, "PDw": None}, "reference": "PDw"}
    split = {"validation": 1, "test": 1}
    done = submit(
        cluster, CHECKED, check=False, datasets={"mine": dataset},
        experiments={"mine": {"dataset": "mine", "split": split, "models": ["unet"]}},
    )  # fmt: skip
    assert len(cluster.jobs) == 3, done.stdout[-6000:]


@pytest.mark.xfail(reason="version 0.5.1 of the plugin asks for the log of a container before")
def test_a_job_that_failed_in_its_pod_is_tried_again(server, submit, tmp_path):
    put_inputs_of_training(server)
    cluster = Cluster(tmp_path, {"PATH": "/nowhere"})
    submit(cluster, TRAINED, check=False)
    assert len(cluster.jobs) == 3


def test_jobs_share_nothing_with_snakemake_but_the_bucket(server, submit, tmp_path, image):
    cluster = Cluster(tmp_path, image)
    submit(cluster, CORRECTED)
    files = server.files(tmp_path / "copy")
    assert f"{CORRECTED}/T2w.nii.gz" in files
    assert len(cluster.jobs) == 3
    assert set(cluster.jobs) <= set(cluster.deleted)
    with (tmp_path / "copy/results/jobs.csv").open() as table:
        rules = {row["rule"] for row in csv.DictReader(table)}
    assert rules == {"simulate", "check_scans", "correct_bias"}
