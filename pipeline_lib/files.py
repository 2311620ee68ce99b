"""Files that are written whole or not at all, and the one sentence of a disk that refuses them."""

import errno
import json
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline_lib.errors import InputError

# Errors of a disk that takes no more, and what the user does about each.
REFUSALS = {
    errno.ENOSPC: "no room is left in {folder}: free some space",
    errno.EDQUOT: "your quota for {folder} is used up: free some space or have it raised",
    errno.EFBIG: "a file in {folder} grew larger than is allowed here: raise the limit (ulimit -f)",
    errno.EROFS: "{folder} can only be read: mount it for writing or take another folder",
    errno.EACCES: "{folder} may not be used by this user: give it the permission",
    errno.EPERM: "{folder} may not be changed by this user: give it the permission",
}
# Writers that tell the number only in their words: safetensors (Rust), and NumPy, which knows no
# more than that less was written than asked.
_IN_RUST = re.compile(r"\(os error (\d+)\)")
_CUT_SHORT = re.compile(r"^\d+ requested and \d+ written$")

PARTIAL = ".partial-"
"""How the name of all begins that is not yet whole."""
HOST = re.sub("[^A-Za-z0-9-]", "_", socket.gethostname())
_WRITER = re.compile(rf"{re.escape(PARTIAL)}(\d+)@([A-Za-z0-9_-]+)@")


class StorageError(OSError):
    """A disk that is full or may not be written, told in one sentence with what to do."""


def storage_error(error: BaseException, folder: str | Path) -> StorageError | None:
    """Give the sentence of an error that a full or read-only disk caused, else `None`.

    Parameters
    ----------
    error
        What was raised; the errors that caused it are looked at too.
    folder
        What was being written to, for an error that names no file itself.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, StorageError):
            return cause
        number = _number_of(cause)
        if number in REFUSALS:
            what = REFUSALS[number].format(folder=_place_of(cause, Path(folder)).absolute())
            told = StorageError(
                f"{what}, then give the same command again, which goes on from here."
            )
            told.errno = number
            return told
        cause = cause.__cause__
    return None


def _number_of(error: BaseException) -> int | None:
    if isinstance(error, OSError):
        return errno.ENOSPC if _CUT_SHORT.match(str(error)) else error.errno
    found = _IN_RUST.search(str(error))
    return int(found[1]) if found else None


def _place_of(error: BaseException, folder: Path) -> Path:
    """Give the file that an error names, or the folder that it could not be made in."""
    name = getattr(error, "filename", None)
    if not isinstance(name, str | bytes):
        return folder
    path = Path(os.fsdecode(name))
    return path if os.access(path, os.F_OK) else path.parent


def partial_name(name: str) -> str:
    """Name a file or folder that this process has begun, with who writes it and its suffixes."""
    return f"{PARTIAL}{os.getpid()}@{HOST}@{name}"


def writer_of(name: str) -> tuple[int, str] | None:
    """Give process number and host (as in `HOST`) of what `partial_name` named, else `None`."""
    found = _WRITER.match(name)
    return (int(found[1]), found[2]) if found else None


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary path to write to, and rename it to `path` when the block ends well.

    The temporary file lies in the same folder (a rename across file systems is a copy, which can
    be cut short) and keeps the suffixes of `path`, because many writers choose the format by it.
    When the block raises, the temporary file is removed and `path` stays as it was.

    Raises
    ------
    StorageError
        If the disk is full or may not be written.
    """
    path = Path(path)
    temporary = path.with_name(partial_name(path.name))
    with _told(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            _sync(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def folder_written_whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary folder to fill, and rename it to `path` when the block ends well.

    A folder that was at `path` is replaced; when the block raises it stays as it was. Of several
    processes that write the same folder, the last one's stays.

    Raises
    ------
    StorageError
        If the disk is full or may not be written.
    """
    path = Path(path)
    with _told(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _new_folder(path)
        try:
            yield temporary
            for file in temporary.rglob("*"):
                if file.is_file():
                    _sync(file)
            temporary.chmod(0o755)
            _put_in_place(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _new_folder(path: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix=f"{partial_name(path.name)}-", dir=path.parent))


def _put_in_place(folder: Path, path: Path) -> None:
    """Rename a folder, whatever is at `path`, and whatever others put there meanwhile.

    A folder takes no other's place while files are in that one, so it is renamed out of the way.
    Emptied where it lies, half of it would be seen by readers, and after a kill by everybody.
    """
    while True:
        try:
            folder.replace(path)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        aside = _new_folder(path)
        with suppress(FileNotFoundError):  # another process was faster
            path.replace(aside)
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Turn an error that the disk of `folder` caused into its sentence; let others pass."""
    try:
        yield
    except Exception as error:
        told = storage_error(error, folder)
        if told is None or told is error:
            raise
        raise told from error


def _sync(path: Path) -> None:
    """Wait until a file is on the disk: network storage may refuse it only then."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_room(folder: Path) -> None:
    """Try whether a disk takes anything more.

    Raises
    ------
    StorageError
        If not even 64 KiB can be written to the folder.
    """
    with written_whole(folder / ".room") as temporary:
        temporary.write_bytes(bytes(2**16))
    (folder / ".room").unlink()


def write_json(path: str | Path, content: Any) -> None:
    """Write `content` as indented JSON, whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    InputError
        If the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise InputError(f"{path} is missing.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid JSON ({error}); write it again.") from None
