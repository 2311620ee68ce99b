"""One run on a real cluster, in which every training is ended early in another way."""

import fcntl
import os
import pickle
import re
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest
import yaml

from pipeline_lib.training.card import read_card
from pipeline_lib.training.ownership import Signature
from tests.slurm.cluster import Cluster, wait_until
from tests.slurm.runs import Submitted, queue_of, write_pictures
from tests.training.test_signals import WHOLE, steps_in
from tests.workflow.conftest import TINY

pytestmark = pytest.mark.slurm

SMALL = Path(__file__).with_name("small.yaml")
ENDED = ("cancelled", "limited", "requeued")
SHORT = "results/train/pelvis/short/fold-0"
# An attempt of `starved` has too little; what the rule itself gives doubles the same way.
# After the first, a batch's stages share a job: each job alone takes two Snakemakes to start, and
# up to half a minute until it is asked after.
PATIENT = ("check_scans", "correct_bias", "register", "segment", "scale", "slices")
MEMORY = "train:mem_mb=(300 if wildcards.model == 'starved' else 3000) * 4 ** (attempt - 1)"


def trained(model):
    return f"results/train/disc/{model}/fold-0"


@dataclass
class Run:
    """What happened: the output of Snakemake, and of each job that was ended where it stood."""

    folder: Path
    code: int = -1
    jobs: dict[str, str] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    described: dict[str, str] = field(default_factory=dict)
    second: str = ""
    queue: list[Submitted] = field(default_factory=list)
    described_last: str = ""

    @property
    def output(self):
        return (self.folder / "snakemake.txt").read_text()

    def submitted(self, model):
        return [job for job in self.queue if job.comment == f"rule_train_wildcards_disc_{model}_0"]

    def log(self, model):
        return (self.folder / f"results/logs/train/disc/{model}/fold-0.log").read_text()


def halted(run: Run, process) -> Signature:
    """Stop each training where its first checkpoint is written; a stopped one takes no time."""
    waiting = set(ENDED)

    def all_stand():
        assert process.poll() is None, run.output
        for model in sorted(waiting):
            folder = run.folder / f"results/checkpoints/disc/{model}/fold-0"
            owners = [Signature.read(path) for path in folder.glob("*.owner")]
            if not owners or not list(folder.glob(WHOLE)):
                continue
            os.kill(owners[0].process, signal.SIGSTOP)
            run.jobs[model] = owners[0].job
            run.steps[model] = steps_in(folder)
            waiting.remove(model)
        return not waiting

    wait_until(all_stand, "three trainings that began", 150)


def try_twice(run: Run, cluster: Cluster, model: str) -> str:
    """Submit a job once more while it runs, as after a kill of Snakemake; give what it says."""
    script = run.folder / "again.sh"
    script.write_text(cluster.ask("scontrol", "write", "batch_script", run.jobs[model], "-"))
    said = run.folder / "again.txt"
    second = cluster.ask(
        "sbatch", "--parsable", f"--output={said}", "--mem=1200", "--gpus=1",
        f"--chdir={run.folder}", str(script),
    ).strip()  # fmt: skip
    wait_until(lambda: said.exists() and "waiting for" in said.read_text(), "the second job", 60)
    cluster.ask("scancel", second)
    wait_until(lambda: not cluster.ask("squeue", "-h", "-j", second), "its end", 60)
    return said.read_text()


def end_early(run: Run, cluster: Cluster, process) -> None:
    """Do to a run what a cluster does to it, and wait for its end."""
    halted(run, process)
    for model in ENDED:
        run.described[model] = cluster.ask("scontrol", "show", "job", run.jobs[model])
    cluster.stop_daemon("slurmctld")
    time.sleep(2)
    cluster.start_controller()
    cluster.ask("scancel", run.jobs["cancelled"])
    cluster.ask("scontrol", "update", f"JobId={run.jobs['limited']}", "EndTime=now")
    run.second = try_twice(run, cluster, "requeued")
    cluster.ask("scontrol", "requeue", run.jobs["requeued"])
    run.code = process.wait(timeout=240)
    run.described_last = cluster.ask("scontrol", "show", "job", run.jobs["requeued"])
    run.queue = queue_of(cluster)


@pytest.fixture(scope="module")
def run(request, tmp_path_factory):
    """One run for all tests, also where several processes share them."""
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    kept = place / "slurm.pickle"
    with (place / "slurm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            cluster, begin = map(request.getfixturevalue, ("cluster", "begin"))
            done = Run(tmp_path_factory.mktemp("run"))
            write_pictures(done.folder, ["0", "1", "2", "3"])
            targets = [SHORT, *map(trained, (*ENDED, "starved"))]
            options = [
                "--set-resources",
                MEMORY,
                "--groups",
                *(f"{rule}=patient" for rule in PATIENT),
            ]
            process = begin(done.folder, *targets, *options, configfile=SMALL)
            try:
                end_early(done, cluster, process)
            finally:
                process.kill()
            kept.write_bytes(pickle.dumps(done))
    return pickle.loads(kept.read_bytes())


def test_a_run_outlives_its_controller_and_its_jobs(run):
    assert run.code == 0, run.output[-6000:]
    for folder in (SHORT, *map(trained, (*ENDED, "starved"))):
        assert (run.folder / folder / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("model", "state"), [("cancelled", "CANCELLED"), ("limited", "TIMEOUT"), ("starved", "FAILED")]
)
def test_a_job_that_ends_early_is_submitted_again(run, model, state):
    assert [job.state for job in run.submitted(model)] == [state, "COMPLETED"]


def test_a_requeued_job_is_started_again_by_the_cluster(run):
    assert [job.state for job in run.submitted("requeued")] == ["COMPLETED"]
    assert "Restarts=1" in run.described_last


@pytest.mark.parametrize("model", ["cancelled", "limited"])
def test_a_job_that_is_told_to_stop_writes_a_checkpoint(run, model):
    (log,) = run.folder.glob(f".snakemake/slurm_logs/**/{run.jobs[model]}.log")
    stopped = re.search(r"stopped by a signal at step (\d+), to be resumed", log.read_text())
    assert f"resumed at step {stopped[1]} from" in run.log(model)


@pytest.mark.parametrize("model", ENDED)
def test_a_training_that_was_ended_goes_on_where_it_stood(run, model):
    resumed = re.search(r"resumed at step (\d+) from", run.log(model))
    assert int(resumed[1]) > run.steps[model] > 0
    losses = pd.read_csv(run.folder / trained(model) / "losses.csv").query("name == 'loss'")
    steps = yaml.safe_load(SMALL.read_text())["models"][model]["steps"]
    assert list(losses["step"]) == list(range(10, steps + 1, 10))


def test_a_second_job_for_one_training_waits_and_says_for_which(run):
    assert f"waiting for SLURM job {run.jobs['requeued']} (process " in run.second


@pytest.mark.parametrize(
    ("model", "partition", "gpus"),
    [("cancelled", "cpu", None), ("requeued", "gpu", 1), ("limited", "gpu", 2)],
)
def test_a_training_has_the_gpus_it_asks_for_and_their_partition(run, model, partition, gpus):
    described = run.described[model]
    assert f"Partition={partition} " in described
    asked = re.search(r"TresPerJob=gres:gpu:(\d+)", described)
    assert (asked and int(asked[1])) == gpus
    assert "NumNodes=1 " in described and "TimeLimit=1-00:00:00" in described
    card = read_card(run.folder / trained(model))
    assert card["processes"] == max(gpus or 1, 1)


def test_everything_before_a_training_runs_in_jobs_of_the_cpu_partition(run):
    together = "_".join(["patient", *sorted(PATIENT)])
    for rule in ("simulate", together[:30]):
        (job,) = [job for job in run.queue if job.rule.startswith(rule)]
        assert (job.partition, job.state) == ("cpu", "COMPLETED")
    # Two patients share each job.
    stores = (run.folder / "results/slices/pelvis/batch-0000").glob("sub-*")
    assert {store.name for store in stores} == {"sub-001", "sub-002"}
    # The tables are made beside Snakemake.
    assert {job.rule.partition("_")[0] for job in run.queue} == {"simulate", "patient", "train"}


@pytest.mark.slow
def test_the_whole_workflow_ends_in_its_report(begin, cluster, tmp_path):
    write_pictures(tmp_path, ["pd", "t2"])
    process = begin(tmp_path, "results/report.html", configfile=TINY)
    assert process.wait(timeout=3600) == 0, (tmp_path / "snakemake.txt").read_text()[-6000:]
    assert (tmp_path / "results/report.html").stat().st_size > 10_000
    assert {job.state for job in queue_of(cluster)} >= {"COMPLETED"}
