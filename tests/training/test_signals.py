"""SIGTERM as a scheduler sends it: to every process of the job at once."""

import os
import signal
import subprocess
import sys
import time

import pytest

from pipeline_lib.training.checkpoint import Checkpoint
from tests.training.systems import arguments, make_data, tiny

# A checkpoint that is still being written begins with a dot.
WHOLE = "[!.]*.safetensors"
RUN = {"steps": 3000, "log_every": 50, "validate_every": 3000, "checkpoint_seconds": 0.2}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("signals"))


def begin(command, launcher=()):
    """Start a stage in a session of its own, as a job step is."""
    return subprocess.Popen(
        [sys.executable, "-m", *launcher, *command],
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def steps_in(folder):
    """Give how far the only checkpoint of a folder is."""
    (path,) = folder.glob(WHOLE)
    return Checkpoint(folder, path.stem).load()[1]["step"]


def stop_in_the_middle(process, folder):
    end = time.monotonic() + 100
    while not list(folder.glob(WHOLE)) and time.monotonic() < end:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGTERM)
    return process.communicate(timeout=60)[1]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_job_whose_processes_are_all_told_to_stop_keeps_its_last_step(data, workers):
    name = f"with-{workers}"
    folder = data / f"{name}-checkpoints"
    process = begin(arguments(data, tiny("unet", **RUN, workers=workers), name))
    told = stop_in_the_middle(process, folder)
    assert process.returncode == 128 + signal.SIGTERM, told
    step = steps_in(folder)
    assert f"stopped by a signal at step {step}, to be resumed" in told
    assert 0 < step < RUN["steps"]
    assert not list(folder.glob("*.owner")) and not (data / name).exists()


def test_processes_that_train_together_stop_at_the_same_step(data):
    folder = data / "together-checkpoints"
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    process = begin(arguments(data, tiny("unet", **RUN), "together"), launcher)
    told = stop_in_the_middle(process, folder)
    assert process.returncode != 0
    assert told.count(f"stopped by a signal at step {steps_in(folder)}, to be resumed") == 2, told
    assert not list(folder.glob("*.owner")) and not (data / "together").exists()
