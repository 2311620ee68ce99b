"""The split of patients into training, validation and test: a table made before anything else.

Two patients of one anatomy (the same person, the same virtual anatomy) stay together. The order in
which patients are drawn depends on the seed and their names alone, and each fold's test patients
are a stretch of it, so that a new patient moves at most one other across each border.
"""

import csv
import hashlib
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Sequence as Listing
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from pipeline_lib.errors import InputError, did_you_mean
from pipeline_lib.files import written_whole

PARTS = ("train", "validation", "test")


class SplitRow(NamedTuple):
    """One patient in one fold."""

    fold: int
    patient: str
    anatomy: str
    split: str


def make_split(
    patients: Listing[str], anatomies: Mapping[str, str], split: Mapping[str, Any], seed: int
) -> list[SplitRow]:
    """Make the table of a split and check it.

    Parameters
    ----------
    patients
        All patients of the dataset.
    anatomies
        Anatomy of each patient; one that is not named is its own.
    split
        One of three: `{folds, validation}` (every patient is in the test of one fold, and
        `validation` patients are taken from each fold's training part), `{train, validation,
        test}` as lists of patients (one fold; who is in no list is left out), or `{validation,
        test}` as numbers of patients to draw (one fold).
    seed
        Of the order in which patients are drawn.

    Raises
    ------
    InputError
        See `check_split`; also if there are fewer patients than folds.
    """
    anatomy_of = {patient: anatomies.get(patient, patient) for patient in patients}
    groups = _groups(patients, anatomy_of, seed)
    if "folds" in split:
        folds = _k_folds(groups, split["folds"], split.get("validation", 0))
    elif "train" in split:
        folds = [{part: list(split.get(part) or []) for part in PARTS}]
    else:
        folds = [_cut(groups, split["test"], split.get("validation", 0))]
    rows = [
        SplitRow(fold, patient, anatomy_of.get(patient, patient), part)
        for fold, parts in enumerate(folds)
        for part in PARTS
        for patient in parts[part]
    ]
    check_split(rows, patients)
    return rows


def check_split(rows: Collection[SplitRow], patients: Collection[str]) -> None:
    """Refuse a table that would let a model see what it is tested on.

    Raises
    ------
    InputError
        If a fold has a patient or an anatomy in two splits or a patient twice, no patient to
        train on or to test, or if a patient is unknown.
    """
    for row in rows:
        if row.patient not in patients:
            raise InputError(
                f"`split:` names {row.patient}, which the dataset does not have"
                f"{did_you_mean(row.patient, patients)}; correct it or take it out."
            )
    for fold in sorted({row.fold for row in rows} | {0}):
        of_fold = [row for row in rows if row.fold == fold]
        _check_apart(fold, "patient", [(row.patient, row.split) for row in of_fold])
        _check_apart(fold, "anatomy", sorted({(row.anatomy, row.split) for row in of_fold}))
        for part in ("train", "test"):
            if not any(row.split == part for row in of_fold):
                raise InputError(
                    f"Fold {fold} has no patient in {part} (of {len(patients)} patients); "
                    "use fewer folds, or fewer patients for validation or test."
                )


def write_split(path: str | Path, rows: Iterable[SplitRow]) -> None:
    """Write the table as CSV, whole or not at all."""
    with written_whole(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(SplitRow._fields)
        writer.writerows(rows)


def read_split(path: str | Path, fold: int) -> dict[str, list[str]]:
    """Read the patients of one fold: `{train: [...], validation: [...], test: [...]}`.

    Raises
    ------
    InputError
        If the table is missing or of another form, or has no such fold.
    """
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    try:
        with Path(path).open(newline="") as file:
            for row in csv.DictReader(file):
                if int(row["fold"]) == fold:
                    parts[row["split"]].append(row["patient"])
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run the stage `split` first.") from None
    except (KeyError, ValueError) as error:
        raise InputError(
            f"{path} is no table of a split ({error!r}); it has the columns fold, patient, "
            "anatomy and split: make it again."
        ) from None
    if not any(parts.values()):
        raise InputError(f"{path} has no fold {fold}; ask for one that it has.")
    return parts


def in_drawn_order(names: Iterable[str], seed: int) -> list[str]:
    """Shuffle names by their hash, so that each keeps its place among the others for good."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())


def _groups(patients: Listing[str], anatomy_of: Mapping[str, str], seed: int) -> list[list[str]]:
    """Patients of one anatomy each, in drawn order; the order is that of their first patients."""
    groups: dict[str, list[str]] = {}
    for patient in in_drawn_order(patients, seed):
        groups.setdefault(anatomy_of[patient], []).append(patient)
    return list(groups.values())


def _k_folds(groups: list[list[str]], folds: int, validation: int) -> list[dict[str, list[str]]]:
    if len(groups) < folds:
        raise InputError(
            f"`split: folds: {folds}` needs at least {folds} patients of different anatomy, but "
            f"there are {len(groups)}; use fewer folds."
        )
    borders = [fold * len(groups) // folds for fold in range(folds + 1)]
    result = []
    for start, end in pairwise(borders):
        # Round the circle from the test patients on: validation differs from fold to fold too.
        rest = groups[end:] + groups[:start]
        test = list(chain.from_iterable(groups[start:end]))
        result.append({"test": test} | _cut_rest(rest, validation))
    return result


def _cut(groups: list[list[str]], test: int, validation: int) -> dict[str, list[str]]:
    taken, rest = _take(groups, test)
    return {"test": taken} | _cut_rest(rest, validation)


def _cut_rest(groups: list[list[str]], validation: int) -> dict[str, list[str]]:
    taken, rest = _take(groups, validation)
    return {"validation": taken, "train": list(chain.from_iterable(rest))}


def _take(groups: list[list[str]], count: int) -> tuple[list[str], list[list[str]]]:
    """First groups until they hold `count` patients, and the groups that remain."""
    taken: list[str] = []
    rest = list(groups)
    while rest and len(taken) < count:
        taken += rest.pop(0)
    return taken, rest


def _check_apart(fold: int, what: str, members: Listing[tuple[str, str]]) -> None:
    seen: dict[str, str] = {}
    for name, part in members:
        if name in seen:
            where = part if seen[name] == part else f"{seen[name]} and {part}"
            raise InputError(
                f"Fold {fold} has {what} {name} twice, in {where}; a model must not be tested on "
                "what it was trained on: keep it in one list of `split:`."
            )
        seen[name] = part
