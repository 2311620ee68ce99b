"""Who writes a checkpoint: of all jobs on all machines, one at a time.

Two guards, because neither holds everywhere. A record lock (POSIX, through `fcntl`) is let go by
the system at any death of its owner, and on most shared file systems holds on all machines; but
some are mounted with locks of one machine only, or with none. So the owner also signs a file and
counts in it every few seconds. Who finds another machine's signature watches: while it counts on,
its owner lives; once it is still for longer than a living owner pauses, its owner is dead. No
clocks of machines are compared, and a dead job's file costs the next one half a minute at most.
"""

import fcntl
import json
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pipeline_lib.errors import InputError

log = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
"""Between two counts of an owner."""
STILL_SECONDS = 30.0
"""After which an owner that doesn't count is dead; shared file systems may show a count late."""
PATIENCE_SECONDS = 60.0
"""To wait for a living owner: a cancelled job may still be writing, SLURM lets it for 30 s."""
RECORD_BYTES = 512
"""Every signature has this length: it is replaced in one piece, and readers never see half."""
BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Signature:
    """An owner, as it signs.

    Attributes
    ----------
    token
        Drawn anew by each owner.
    machine
        The same for all processes that share a kernel, and with it all its locks.
    process, host, job
        For people: process number, host name, number of the SLURM job if it is one.
    count
        Grows while the owner lives.
    """

    token: str
    machine: str
    process: int
    host: str
    job: str
    count: int = 0

    @classmethod
    def own(cls) -> "Signature":
        """Sign as this process."""
        host = socket.gethostname()
        return cls(
            token=secrets.token_hex(8),
            machine=BOOT.read_text().strip() if BOOT.exists() else host,
            process=os.getpid(),
            host=host,
            job=os.environ.get("SLURM_JOB_ID", ""),
        )

    @classmethod
    def read(cls, path: Path) -> "Signature | None":
        """Read who signed last; nobody where the file is absent or says nothing."""
        try:
            return cls(**json.loads(path.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write(self, path: Path) -> None:
        """Sign, in place and down to the disk, so that other machines see it."""
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            os.pwrite(file, json.dumps(asdict(self)).ljust(RECORD_BYTES).encode(), 0)
            os.fsync(file)
        finally:
            os.close(file)

    def __str__(self) -> str:
        process = f"process {self.process} on {self.host}"
        return f"SLURM job {self.job} ({process})" if self.job else process


class Ownership:
    """The right to write, as long as nobody else has signed.

    Parameters
    ----------
    path
        The file that owners sign.
    what
        What is owned, for messages.
    """

    def __init__(self, path: Path, what: Path) -> None:
        self.path = path
        self.what = what
        self.signature = Signature.own()
        self._ended = threading.Event()

    def confirm(self) -> None:
        """Make sure that this process is still the owner.

        It is not where it stood still (suspended, say) on a file system without shared locks.

        Raises
        ------
        InputError
            If another one signed since.
        """
        found = Signature.read(self.path)
        if found is not None and found.token != self.signature.token:
            raise InputError(
                f"{self.what} was taken over by {found} while this process stood still; it stops "
                "and leaves the checkpoint to that one."
            )

    @contextmanager
    def signed(self) -> Iterator[None]:
        """Sign, count on, and take the signature away in the end."""
        self.signature.write(self.path)
        counting = threading.Thread(target=self._count, name="ownership", daemon=True)
        counting.start()
        try:
            yield
        finally:
            self._ended.set()
            counting.join()
            if self._is_own():
                self.path.unlink(missing_ok=True)

    def _count(self) -> None:
        while not self._ended.wait(BEAT_SECONDS) and self._is_own():
            self.signature = replace(self.signature, count=self.signature.count + 1)
            try:
                self.signature.write(self.path)
            except OSError as error:
                log.warning("%s can't be written (%s)", self.path, error)

    def _is_own(self) -> bool:
        found = Signature.read(self.path)
        return found is None or found.token == self.signature.token


@contextmanager
def owned(what: Path, patience: float = PATIENCE_SECONDS) -> Iterator[Ownership]:
    """Own a file against all other processes on all machines.

    `<stem>.lock` is locked and `<stem>.owner` is signed, beside it.

    Parameters
    ----------
    what
        The file to own; its folder exists.
    patience
        Seconds to wait for a living owner.

    Raises
    ------
    InputError
        If the owner lives on after that, or takes the file over later (see `Ownership.confirm`).
    """
    ownership = Ownership(what.with_suffix(".owner"), what)
    with what.with_suffix(".lock").open("a") as lock:
        _wait_for(lock.fileno(), ownership, patience)
        with ownership.signed():
            yield ownership


def _wait_for(lock: int, ownership: Ownership, patience: float) -> None:
    """Wait until the lock is ours and whoever signed before is dead."""
    end, told = time.monotonic() + patience, False
    while True:
        locked = _locked(lock)
        owner = Signature.read(ownership.path)
        same_kernel = owner is not None and owner.machine == ownership.signature.machine
        if locked is not False and (
            owner is None or (locked and same_kernel) or _is_still(ownership.path, owner)
        ):
            return
        if time.monotonic() >= end:
            cancel = f" (scancel {owner.job})" if owner and owner.job else ""
            raise InputError(
                f"{ownership.what} is in use by {owner or 'another process'}; wait for it or stop "
                f"it{cancel}, and start again."
            )
        if not told:
            log.info("waiting for %s, which uses %s", owner or "a process", ownership.what)
            told = True
        time.sleep(min(1.0, max(0.0, end - time.monotonic())))


def _locked(lock: int) -> bool | None:
    """Lock: `True` if it is ours now, `False` if another's, `None` where there are no locks."""
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return None
    return True


def _is_still(path: Path, owner: Signature) -> bool:
    """Tell whether an owner is dead: watch it until it counts on, or for `STILL_SECONDS`."""
    log.info("%s signed %s: watching whether it lives", owner, path)
    end = time.monotonic() + STILL_SECONDS
    while time.monotonic() < end:
        time.sleep(min(1.0, STILL_SECONDS))
        if Signature.read(path) != owner:
            return False
    return True
