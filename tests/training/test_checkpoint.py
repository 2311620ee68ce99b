import subprocess
import sys

import pytest
import torch

from pipeline_lib.errors import InputError
from pipeline_lib.training.checkpoint import (
    Checkpoint,
    optimizer_tensors,
    restore_optimizer,
    training_digest,
)


@pytest.fixture
def checkpoint(tmp_path):
    return Checkpoint(tmp_path / "fold-0", "abc")


def test_tensors_and_state_come_back_as_they_were(checkpoint):
    assert checkpoint.load() is None
    checkpoint.folder.mkdir()
    checkpoint.save({"a": torch.arange(3)}, {"step": 7, "loss": 0.1})
    tensors, state = checkpoint.load()
    assert torch.equal(tensors["a"], torch.arange(3))
    assert state == {"step": 7, "loss": 0.1}


def test_a_damaged_checkpoint_is_told(checkpoint):
    checkpoint.folder.mkdir()
    checkpoint.path.write_bytes(b"\x10" * 40)
    with pytest.raises(InputError, match=r"abc.safetensors is damaged .* delete it"):
        checkpoint.load()


def test_an_optimiser_goes_on_where_it_was():
    def descend(weight, optimizer, count):
        for _ in range(count):
            optimizer.zero_grad()
            (weight**2).sum().backward()
            optimizer.step()

    first, second = (torch.nn.Parameter(torch.ones(3)) for _ in range(2))
    one, other = (torch.optim.NAdam([weight], lr=0.1) for weight in (first, second))
    descend(first, one, 3)
    with torch.no_grad():
        second.copy_(first)
    kept = {name: tensor.clone() for name, tensor in optimizer_tensors(one).items()}
    restore_optimizer(other, kept)
    descend(first, one, 2)
    descend(second, other, 2)
    assert torch.equal(first, second)


def test_the_digest_follows_settings_and_content(tmp_path):
    file = tmp_path / "images.npy"
    file.write_bytes(b"1")
    first = training_digest({"a": 1, "b": 2}, [file])
    assert first == training_digest({"b": 2, "a": 1}, [file])
    assert first != training_digest({"a": 1, "b": 3}, [file])
    file.write_bytes(b"2")
    assert first != training_digest({"a": 1, "b": 2}, [file])


def test_two_processes_never_train_on_one_checkpoint(checkpoint):
    holder = (
        "import sys, time; from pathlib import Path\n"
        "from pipeline_lib.training.checkpoint import Checkpoint\n"
        f"with Checkpoint(Path({str(checkpoint.folder)!r}), 'abc').locked():\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "held\n"
        told = pytest.raises(InputError, match=f"in use by process {process.pid} on")
        with told, checkpoint.locked(patience=0):
            pass
    finally:
        process.kill()
        process.wait()
    with checkpoint.locked():  # the lock died with its owner
        pass
