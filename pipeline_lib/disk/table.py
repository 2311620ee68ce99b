"""The table of `recontrast disk`."""

import os
from collections.abc import Iterable
from pathlib import Path

from pipeline_lib.disk.need import amount, peak, total
from pipeline_lib.disk.parts import INTERMEDIATE, Part, sizes_by_stage

LEAST = 50_000  # bytes of a stage that gets a line


def described(parts: Iterable[Part], results: Path) -> str:
    """Write what each stage needs and what of it is there, as lines of text.

    Parameters
    ----------
    parts
        Of `need.needed`.
    results
        The results folder; all files of the stages' folders are looked at.
    """
    parts = list(parts)
    needs = sizes_by_stage(parts)
    there = there_by_stage(parts, results)
    lines = [f"{'stage':30}{'needs':>9}{'there':>9}"]
    for stage, size in needs.items():
        if max(size, there[stage]) >= LEAST:
            mark = " *" if stage in INTERMEDIATE else ""
            lines.append(f"{stage + mark:30}{amount(size):>9}{amount(there[stage]):>9}")
    lines.append(f"{'total':30}{amount(total(parts)):>9}{amount(sum(there.values())):>9}")
    lines += [
        "",
        "* intermediate: can be made again, and is temporary with keep_intermediate: false,",
        f"  with which at most about {amount(peak(parts, False))} lie there at once.",
    ]
    return "\n".join(lines)


def there_by_stage(parts: Iterable[Part], results: Path) -> dict[str, float]:
    """Add the bytes of each stage's files that are there."""
    parts = list(parts)
    inner = {results / part.folder for part in parts}
    found: dict[str, float] = {}
    for part in parts:
        folder = results / part.folder
        found[part.stage] = found.get(part.stage, 0) + _size(folder, inner - {folder})
    return found


def _size(path: Path, apart_from: set[Path]) -> int:
    if path.is_file():
        return path.stat().st_size
    size, linked = 0, set[int]()
    for place, folders, files in os.walk(path):
        folders[:] = [name for name in folders if Path(place, name) not in apart_from]
        for name in files:
            status = Path(place, name).lstat()
            # What a batch keeps of its patients are hard links: one file under two names.
            if status.st_nlink == 1 or status.st_ino not in linked:
                size += status.st_size
                linked.add(status.st_ino)
    return size
