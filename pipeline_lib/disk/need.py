"""What a configuration needs of a disk, what of it is there, and the sentences that say so.

Standard library only, because the Snakefile imports it.
"""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline_lib.disk.data import data_of
from pipeline_lib.disk.parts import Part, parts_of
from pipeline_lib.experiments import used_datasets
from pipeline_lib.raw_scans import RawScans, find_raw_scans

# Lies beside the patients' folders.
BESIDE = {"dataset_description.json", "participants.tsv", "derivatives"}
UNITS = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6))


def needed(
    configuration: Mapping[str, Any], raw_scans: Mapping[str, RawScans] | None = None
) -> list[Part]:
    """Say what a configuration writes.

    Parameters
    ----------
    configuration
        The complete one; its paths are relative to the working directory.
    raw_scans
        Of each dataset that its experiments use; found where they are not given.

    Raises
    ------
    InputError
        If raw scans are missing.
    """
    datasets, together = configuration["datasets"], configuration["patients_per_job"]
    data = {}
    for name in used_datasets(configuration["experiments"]):
        dataset = datasets[name]
        scans = find_raw_scans(name, dataset, together) if raw_scans is None else raw_scans[name]
        data[name] = data_of(name, dataset, scans, together)
    return parts_of(configuration, data)


def total(parts: Iterable[Part]) -> float:
    """Add the bytes of parts."""
    return sum(part.size for part in parts)


def peak(parts: Iterable[Part], keeps_intermediate: bool) -> float:
    """Give the most bytes that lie on the disk at once.

    Of temporary files only those of the patients in work are there, which are not counted: they
    are few where patients are many.
    """
    return total(part for part in parts if keeps_intermediate or not part.is_intermediate)


def remaining(parts: Iterable[Part], keeps_intermediate: bool, results: Path) -> float:
    """Estimate the bytes that are still to be written, of those that `peak` counts.

    Each folder is listed once and nothing below it, so that it takes milliseconds for 10,000
    patients: who is there is taken for as large as the others.
    """
    return sum(
        part.size * (1 - min(1, _entries(results / part.folder) / part.entries))
        for part in parts
        if keeps_intermediate or not part.is_intermediate
    )


def _entries(folder: Path) -> int:
    try:
        with os.scandir(folder) as found:
            return sum(
                entry.name not in BESIDE and not entry.name.startswith(".") for entry in found
            )
    except NotADirectoryError:
        return 1
    except OSError:
        return 0


def free_bytes(folder: Path) -> int:
    """Give what is free on the disk of a folder, or of the nearest folder above it that exists."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def sentences(
    parts: Iterable[Part], keeps_intermediate: bool, results: Path
) -> tuple[str, str | None]:
    """Say what is needed and what is free.

    Parameters
    ----------
    parts
        Of `needed`.
    keeps_intermediate
        Whether intermediate files stay.
    results
        The results folder; it need not be there yet.

    Returns
    -------
        A notice, and a warning if what is still to be written exceeds what is free.
    """
    parts = list(parts)
    most, free = peak(parts, keeps_intermediate), free_bytes(results)
    intermediate = total(part for part in parts if part.is_intermediate)
    if keeps_intermediate:
        of_it = f"of which {amount(intermediate)} are intermediate"
    else:
        of_it = f"and {amount(total(parts))} if intermediate files were kept"
    notice = f"{results.name}/ will need about {amount(most)}, {of_it}; {amount(free)} are free."
    left = remaining(parts, keeps_intermediate, results)
    if left <= free:
        return notice, None
    advice = "make room, or name a folder on another disk with --directory"
    if keeps_intermediate:
        saved = remaining(parts, False, results)
        if saved < left:
            advice += (
                ", or set keep_intermediate: false, after which about "
                f"{amount(saved)} {'would do' if saved <= free else 'are still to be written'}"
            )
    return notice, (
        f"The disk of {results.absolute()} has {amount(free)} free, but about {amount(left)} are "
        f"still to be written: {advice}."
    )


def amount(size: float) -> str:
    """Write bytes with two digits, in MB, GB or TB."""
    unit, number = next((each for each in UNITS if size >= 0.95 * each[1]), UNITS[-1])
    return f"{float(f'{size / number:.2g}'):g} {unit}"
