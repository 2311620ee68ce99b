"""Two jobs never write one checkpoint: on one machine, on several, with locks and without."""

import errno
import fcntl
import logging
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.training import ownership
from pipeline_lib.training.ownership import Signature, owned


@pytest.fixture
def what(tmp_path):
    return tmp_path / "abc.safetensors"


@pytest.fixture
def quick(monkeypatch):
    """Owners that count, and are taken for dead, twenty times as fast."""
    monkeypatch.setattr(ownership, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(ownership, "STILL_SECONDS", 0.6)
    monkeypatch.setattr(time, "sleep", lambda seconds, wait=time.sleep: wait(min(seconds, 0.05)))


@pytest.fixture
def no_locks(monkeypatch):
    """A file system that can't lock."""

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", refuse)


FOREIGN = Signature(token="f", machine="another", process=7, host="node07", job="28")


def hold(what, environment=()):
    """Own a file in a process of its own, until it is killed."""
    program = (
        "import time; from pathlib import Path\n"
        "from pipeline_lib.training.ownership import owned\n"
        f"with owned(Path({str(what)!r})):\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True,
        env={**os.environ, **dict(environment)},
    )  # fmt: skip
    assert process.stdout.readline() == "held\n"
    return process


def test_a_living_owner_is_named_with_its_job(what):
    process = hold(what, {"SLURM_JOB_ID": "12"})
    try:
        sentence = rf"abc\.safetensors is in use by SLURM job 12 \(process {process.pid} on .*\); "
        sentence += r"wait for it or stop it \(scancel 12\), and start again\."
        with pytest.raises(InputError, match=sentence), owned(what, patience=0):
            pass
    finally:
        process.kill()
        process.wait()


def test_a_killed_owner_of_this_machine_is_followed_at_once(what):
    process = hold(what)
    process.kill()
    process.wait()
    assert Signature.read(what.with_suffix(".owner")).process == process.pid
    began = time.monotonic()
    with owned(what) as own:
        own.confirm()
    assert time.monotonic() - began < 2


def test_an_owner_that_lets_go_is_waited_for(what, quick, caplog):
    process = hold(what)
    ending = threading.Timer(0.5, process.terminate)
    ending.start()
    with caplog.at_level(logging.INFO), owned(what, patience=30):
        pass
    process.wait()
    assert caplog.text.count(f"waiting for process {process.pid} on") == 1


def test_the_signature_goes_with_its_owner(what):
    with owned(what):
        assert Signature.read(what.with_suffix(".owner")).process == os.getpid()
    assert [path.name for path in what.parent.iterdir()] == ["abc.lock"]


def test_an_owner_counts_while_it_lives(what, quick):
    with owned(what):
        first = Signature.read(what.with_suffix(".owner"))
        time.sleep(0.01)
        end = time.monotonic() + 10
        while Signature.read(what.with_suffix(".owner")).count < 2 and time.monotonic() < end:
            time.sleep(0.05)
        later = Signature.read(what.with_suffix(".owner"))
    assert later.count >= 2 and later == replace(first, count=later.count)


@pytest.mark.parametrize("locks", ["of one machine only", "none"])
def test_another_machines_owner_that_counts_is_left_alone(what, quick, locks, request):
    if locks == "none":
        request.getfixturevalue("no_locks")
    path, ended = what.with_suffix(".owner"), threading.Event()

    def count():
        number = 0
        while not ended.wait(0.1):
            number += 1
            replace(FOREIGN, count=number).write(path)

    FOREIGN.write(path)
    thread = threading.Thread(target=count)
    thread.start()
    try:
        told = pytest.raises(InputError, match=r"SLURM job 28 \(process 7 on node07\)")
        with told, owned(what, patience=1):
            pass
    finally:
        ended.set()
        thread.join()
    assert Signature.read(path).token == "f"


@pytest.mark.parametrize("locks", ["of one machine only", "none"])
def test_another_machines_dead_owner_is_followed_when_it_stood_still(what, quick, locks, request):
    if locks == "none":
        request.getfixturevalue("no_locks")
    FOREIGN.write(what.with_suffix(".owner"))
    began = time.monotonic()
    with owned(what) as own:
        assert time.monotonic() - began >= 0.6
        assert Signature.read(what.with_suffix(".owner")).token == own.signature.token


def test_an_owner_that_was_followed_writes_no_more(what, quick):
    with owned(what) as own:
        own.confirm()
        FOREIGN.write(own.path)
        with pytest.raises(InputError, match=r"taken over by SLURM job 28 .*; it stops"):
            own.confirm()
        time.sleep(0.3)
    assert Signature.read(own.path) == FOREIGN  # neither counted over nor taken away


@pytest.mark.parametrize("text", ["", "{", "[]", '{"token": "a"}', "\x00" * 512])
def test_what_is_no_signature_is_nobodys(what, text):
    what.with_suffix(".owner").write_text(text)
    with owned(what, patience=0) as own:
        own.confirm()
