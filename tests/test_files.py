"""Files are whole or not there, whatever the disk does."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pipeline_lib.files import (
    StorageError,
    folder_written_whole,
    read_json,
    storage_error,
    write_json,
    written_whole,
)
from pipeline_lib.leftovers import remove_leftovers
from pipeline_lib.stages.command import run_stage

ROOT = Path(__file__).parents[1]


@pytest.fixture
def small_files():
    """No file may grow over 4 KiB: the nearest thing to a full disk that needs no rights."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def mounted(tmp_path):
    """Mount a disk of 64 KiB; `mounted(again)` mounts it anew with other options."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(*options):
        command = ["mount", "-t", "tmpfs", "-o", ",".join(["size=64k", *options]), "tmpfs", folder]
        return subprocess.run(command, capture_output=True).returncode == 0

    try:
        may_mount = mount()
    except OSError:
        may_mount = False
    if not may_mount:
        pytest.skip("a disk can't be mounted here: it needs the rights of root")
    yield folder, mount
    subprocess.run(["umount", folder], check=True)


def test_a_file_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "table.json"
    write_json(path, {"old": 1})
    with pytest.raises(KeyError), written_whole(path) as temporary:
        temporary.write_text("half")
        raise KeyError
    assert read_json(path) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_fails_leaves_what_was_there(tmp_path):
    folder = tmp_path / "model"
    with folder_written_whole(folder) as temporary:
        write_json(temporary / "card.json", {"old": 1})
    with pytest.raises(KeyError), folder_written_whole(folder) as temporary:
        (temporary / "card.json").write_text("half")
        raise KeyError
    assert read_json(folder / "card.json") == {"old": 1}
    assert list(tmp_path.iterdir()) == [folder]


KILLED = """
import os, signal, sys
from pathlib import Path
from pipeline_lib import files

def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

{patched} = die
with files.folder_written_whole(sys.argv[1]) as folder:
    for name in ("a", "b"):
        (folder / name).write_text("new")
"""


@pytest.mark.parametrize(
    ("patched", "stands"),
    [("Path.write_text", True), ("files._sync", True), ("files.shutil.rmtree", False)],
    ids=["amid writing", "before it is on the disk", "before the old one is removed"],
)
def test_a_folder_killed_at_any_moment_is_the_old_one_or_none(tmp_path, patched, stands):
    path = tmp_path / "model"
    path.mkdir()
    for name in ("a", "b"):
        (path / name).write_text("old")
    command = [sys.executable, "-c", KILLED.format(patched=patched), path]
    assert subprocess.run(command, cwd=ROOT).returncode == -signal.SIGKILL
    assert path.exists() == stands
    if stands:
        assert {file.name: file.read_text() for file in path.iterdir()} == {"a": "old", "b": "old"}
    with folder_written_whole(path) as folder:
        (folder / "c").write_text("newer")
    assert [file.name for file in path.iterdir()] == ["c"]
    assert {path.name for path in remove_leftovers(tmp_path)}
    assert list(tmp_path.iterdir()) == [path]


def test_several_writers_of_one_folder_leave_one_of_theirs_whole(tmp_path):
    """As a job that outlived its Snakemake, and the same job started again."""
    path, names = tmp_path / "model", "abcdef"

    def write(number):
        with folder_written_whole(path) as folder:
            for name in names:
                (folder / name).write_text(str(number))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(64)))
    assert sorted(file.name for file in path.iterdir()) == list(names)
    assert len({file.read_text() for file in path.iterdir()}) == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no room is left in {}: free some space, then give the same command"),
        (errno.EDQUOT, "your quota for {} is used up"),
        (errno.EROFS, "{} can only be read"),
        (errno.EACCES, "{} may not be used by this user"),
    ],
)
def test_a_disk_that_refuses_is_a_sentence_with_its_folder(tmp_path, number, words):
    path = tmp_path / "made/table.csv"
    with pytest.raises(StorageError) as caught, written_whole(path) as temporary:
        temporary.write_text("half")
        raise OSError(number, os.strerror(number))
    assert words.format(path.parent) in str(caught.value)
    assert caught.value.errno == number
    assert list(path.parent.iterdir()) == []


def test_other_errors_keep_their_traceback(tmp_path):
    assert storage_error(FileNotFoundError(errno.ENOENT, "gone", "scan.nii"), tmp_path) is None
    assert storage_error(ValueError("no space left on device"), tmp_path) is None


def test_a_file_that_may_not_be_read_is_named_itself(tmp_path):
    scan = tmp_path / "scan.nii.gz"
    scan.touch()
    told = storage_error(PermissionError(errno.EACCES, "denied", str(scan)), "results")
    assert str(told).startswith(f"{scan} may not be used by this user")


def test_an_error_that_another_one_wraps_is_found(tmp_path):
    wrapped = RuntimeError("can't save")
    wrapped.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert f"no room is left in {tmp_path}" in str(storage_error(wrapped, tmp_path))


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(bytes(10_000)),
        lambda path: np.save(path.with_suffix(".npy"), np.zeros(10_000)),
        lambda path: save_file({"w": torch.zeros(10_000)}, path),
    ],
    ids=["python", "numpy", "safetensors"],
)
@pytest.mark.usefixtures("small_files")
def test_every_writer_that_is_cut_short_is_a_sentence(tmp_path, write):
    path = tmp_path / "model"
    again = pytest.raises(StorageError, match="then give the same command again")
    with again, folder_written_whole(path) as temporary:
        write(temporary / "weights")
    assert list(tmp_path.iterdir()) == []


def test_a_stage_on_a_full_disk_ends_in_one_sentence_and_goes_on_with_room(mounted, capsys):
    disk, mount = mounted

    def stage():
        with folder_written_whole(disk / "slices") as folder:
            np.save(folder / "images.npy", np.ones(4000))

    (disk / "ballast").write_bytes(bytes(40_000))
    with pytest.raises(SystemExit) as ended:
        run_stage(stage)
    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        f"Error: no room is left in {disk}: free some space, then give the same command again, "
        "which goes on from here.\n"
    )
    assert [path.name for path in disk.iterdir()] == ["ballast"]
    (disk / "ballast").unlink()
    stage()
    assert np.load(disk / "slices/images.npy").sum() == 4000
    assert mount("remount", "ro")
    with pytest.raises(StorageError, match=f"{disk} can only be read: mount it for writing"):
        write_json(disk / "new.json", {})


def test_json_that_is_none_is_told(tmp_path):
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(Exception, match="not valid JSON"):
        read_json(tmp_path / "run.json")
    write_json(tmp_path / "run.json", {"µ": 1})
    assert json.loads((tmp_path / "run.json").read_text()) == {"µ": 1}
