"""What a training says of itself: losses.csv, lines of log, a bar in a terminal."""

import csv
import logging
import sys
from collections.abc import Mapping
from pathlib import Path

log = logging.getLogger(__name__)

COLUMNS = ("phase", "step", "seconds", "name", "value")
BAR = 24


class Journal:
    """The losses of one training.

    Parameters
    ----------
    path
        The CSV, with the columns `COLUMNS`; seconds since the training began, pauses left out.
    writes
        Whether this process writes at all.
    """

    def __init__(self, path: Path, writes: bool) -> None:
        self.path = path
        self.writes = writes

    def start(self) -> None:
        """Begin an empty table."""
        if self.writes:
            self.path.write_text(",".join(COLUMNS) + "\n")

    def size(self) -> int:
        """Bytes so far, which a checkpoint keeps."""
        return self.path.stat().st_size

    def cut(self, size: int) -> None:
        """Go back to a size: lines of steps that were lost are written again."""
        if self.writes:
            with self.path.open("r+b") as file:
                file.truncate(size)

    def record(self, phase: str, step: int, seconds: float, values: Mapping[str, float]) -> None:
        """Append a line a value."""
        if self.writes:
            with self.path.open("a", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows(
                    (phase, step, f"{seconds:.3f}", name, repr(value))
                    for name, value in values.items()
                )

    def show(
        self, phase: str, step: int, steps: int, seconds: float, values: Mapping[str, float]
    ) -> None:
        """Show where the phase stands: a bar in a terminal, else a line of log."""
        if not self.writes:
            return
        text = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        line = f"{phase} {step}/{steps}, {seconds:.0f} s: {text}"
        if sys.stderr.isatty():
            done = BAR * step // steps
            bar = "█" * done + "░" * (BAR - done)
            end = "\n" if step == steps else ""
            print(f"\r\033[K{bar} {line}", end=end, file=sys.stderr, flush=True)  # noqa: T201
        else:
            log.info("%s", line)
