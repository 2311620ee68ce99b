"""Two processes that train together, through gloo, as `gpus: 2` starts them."""

import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from pipeline_lib.training.card import read_card
from tests.training.systems import arguments, losses, make_data, run_here, tiny

# Of the dataset all bodies have one size: see test_loop.py for batches of others.
STEPS = {"steps": 6, "log_every": 2, "validate_every": 3}


@pytest.fixture
def data(tmp_path):
    return make_data(tmp_path)


def run_together(command, processes=2):
    """Start a stage in several processes and wait for them."""
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone",
         "--nproc-per-node", str(processes), "-m", *command],
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip


@pytest.mark.parametrize("system", ["unet"])
def test_two_processes_give_the_weights_of_one(data, system):
    model = tiny(system, **STEPS)
    run_here(arguments(data, model, "alone"))
    done = run_together(arguments(data, model, "together"))
    assert done.returncode == 0, done.stderr
    alone, together = (load_file(data / x / "model.safetensors") for x in ("alone", "together"))
    assert alone.keys() == together.keys()
    for name, weights in alone.items():
        torch.testing.assert_close(together[name], weights, rtol=0, atol=1e-5)

    cards = [read_card(data / name) for name in ("alone", "together")]
    assert [card["processes"] for card in cards] == [1, 2]
    assert cards[0]["weights"] == cards[1]["weights"]
    assert sorted(path.name for path in data.glob("together*")) == [
        "together", "together-checkpoints",
    ]  # fmt: skip
    assert {path.suffix for path in (data / "together-checkpoints").iterdir()} == {
        ".csv", ".lock", ".safetensors",
    }  # fmt: skip
    assert len(list((data / "together-checkpoints").iterdir())) == 3
    keys = ["phase", "step", "name"]
    assert losses(data / "together")[keys].equals(losses(data / "alone")[keys])
    assert done.stderr.count("kept the weights of") == 1


def test_a_batch_that_two_processes_cannot_share_is_refused_in_a_sentence(data):
    done = run_together(arguments(data, tiny("unet", batch_size=3, **STEPS), "together"))
    assert done.returncode == 1
    assert "Error: batch_size 3 can't be shared by 2 GPUs in 1 parts each; set" in done.stderr
    assert "InputError" not in done.stderr
    assert not (data / "together").exists()
