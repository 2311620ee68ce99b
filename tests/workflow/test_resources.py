"""What jobs ask a cluster for: by the size of their input, and by how often they failed."""

import re

import pytest
import yaml

from tests.workflow.conftest import TINY

pytestmark = pytest.mark.workflow


def asked(output):
    """Resources of the jobs of a dry run: {rule, or rule and model: {resource: number}}."""
    found = {}
    for job in re.split(r"\n(?=\s*(?:local)?rule )", output):
        rule = re.match(r"\s*(?:local)?rule (\w+):", job)
        if rule and (resources := re.search(r"resources: (.*)", job)):
            model = re.search(r"model=(\w+)", job)
            name = f"{rule[1]} {model[1]}" if model else rule[1]
            found[name] = {
                key: int(number) for key, number in re.findall(r"(\w+)=(\d+)\b", resources[1])
            }
    return found


@pytest.fixture(scope="module")
def dry_run(snakemake, tmp_path_factory):
    def run(*arguments, size=(48, 48, 8), **gpus):
        folder = tmp_path_factory.mktemp("dry")
        config = yaml.safe_load(TINY.read_text())
        config["datasets"]["pelvis"]["virtual"]["size"] = list(size)
        for model, number in gpus.items():
            config["models"][model]["gpus"] = number
        (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        # The default profile, of a workstation, has one GPU.
        targets = ["results/report.html", "-n", "--resources", "gpu=4", *arguments]
        return asked(snakemake(folder, *targets, configfile=folder / "config.yaml").stdout)

    return run


@pytest.fixture(scope="module")
def small(dry_run):
    return dry_run(unet=2)


def test_a_training_and_what_follows_it_have_the_gpus_that_it_asks_for(small):
    assert small["train unet"]["gpu"] == 2
    assert small["predict unet"]["gpu"] == 1
    for job in ("train simko", "predict simko", "decide simko", "train pgan"):
        assert small[job]["gpu"] == 0


def test_no_cluster_job_has_less_memory_than_the_snakemakes_in_it_need(small):
    given = {job: resources["mem_mb"] for job, resources in small.items() if resources}
    assert {"simulate", "register", "evaluate unet"} <= given.keys()
    assert min(given.values()) == 1000


def test_larger_scans_have_more_memory_and_time(small, dry_run):
    """256 x 256 x 200 voxels are 13.1 million: 600 MB + 150 a million + 400 of Snakemake."""
    large = dry_run(size=(256, 256, 200))
    assert large["register"]["mem_mb"] == 3000 > small["register"]["mem_mb"]
    assert large["register"]["runtime"] == 110 > small["register"]["runtime"]
    for stage in ("simulate", "correct_bias", "segment"):
        assert large[stage]["mem_mb"] > small[stage]["mem_mb"]
    assert large["train simko"] == small["train simko"]  # its slices are as large as before


def test_a_job_that_failed_has_twice_as_much_the_next_time(dry_run, small):
    again = dry_run("--attempt", "2", unet=2)
    for job, given in small.items():
        if not given:
            continue
        assert again[job]["mem_mb"] == 2 * given["mem_mb"]
        longer = 1 if job.startswith("train") else 2  # a training goes on from its checkpoint
        assert again[job]["runtime"] == longer * given["runtime"]
