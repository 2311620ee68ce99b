"""The split of patients into training, validation and test: a table made before anything else.

Two patients of one anatomy (the same person, the same virtual anatomy) stay together. The order in
which patients are drawn depends on the seed and their names alone, and each fold's test patients
are a stretch of it, so that a new patient moves at most one other across each border.

Leaked splits, which draw single slices or images instead, are in `slices.leaked`.
"""

import csv
from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Sequence as Listing
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from pipeline_lib.errors import InputError
from pipeline_lib.files import written_whole
from pipeline_lib.slices.leaked import check_leaked_settings, drawn_units, is_leaked
from pipeline_lib.slices.order import in_drawn_order, unknown_patient

APART = ("train", "validation", "test")
PARTS = (*APART, "seen")


class SplitRow(NamedTuple):
    """One patient in one fold, or one slice or image of a patient in a leaked split.

    `split` is train, validation, test or seen: who is `seen` is in train too, and is tested on
    beside the test patients. `slice` is the row in the patient's slices and `contrast` a name;
    `None` stands for all of them.
    """

    fold: int
    patient: str
    anatomy: str
    split: str
    slice: int | None = None
    contrast: str | None = None


def make_split(
    patients: Listing[str],
    anatomies: Mapping[str, str],
    split: Mapping[str, Any],
    seed: int,
    images: Mapping[str, tuple[int, Listing[str]]] | None = None,
) -> list[SplitRow]:
    """Make the table of a split and check it.

    Parameters
    ----------
    patients
        All patients of the dataset.
    anatomies
        Anatomy of each patient; one that is not named is its own.
    split
        One of four: `{folds, validation}` (every patient is in the test of one fold, and
        `validation` patients are taken from each fold's training part), `{train, validation,
        test}` as lists of patients (one fold; who is in no list is left out), or as numbers of
        patients to draw (one fold; without `train` all others are trained on), or `{leaked,
        train, patients}` (one fold; the share `train` of each patient's slices or images is
        trained on, all others are tested). With `seen`, the first so many training patients of a
        fold are tested on too.
    seed
        Of the order in which patients, slices and images are drawn.
    images
        Of a leaked split: the number of slices and the names of the contrasts of each patient.

    Raises
    ------
    InputError
        See `check_split` and `check_leaked_settings`; also if there are fewer patients than
        folds, or a patient that a leaked split draws from has a single image.
    """
    if is_leaked(split):
        return list(leaked_rows(patients, anatomies, split, seed, images or {}))
    anatomy_of = {patient: anatomies.get(patient, patient) for patient in patients}
    groups = _groups(patients, anatomy_of, seed)
    if "folds" in split:
        folds = _k_folds(groups, split["folds"], split.get("validation", 0))
    elif isinstance(split.get("train"), list):
        folds = [{part: list(split.get(part) or []) for part in APART}]
    else:
        folds = [_cut(groups, split["test"], split.get("validation", 0), split.get("train"))]
    rows = [
        SplitRow(fold, patient, anatomy_of.get(patient, patient), part)
        for fold, parts in enumerate(folds)
        for part, members in _with_seen(parts, split, fold, seed).items()
        for patient in members
    ]
    check_split(rows, patients)
    return rows


def leaked_rows(
    patients: Listing[str],
    anatomies: Mapping[str, str],
    split: Mapping[str, Any],
    seed: int,
    images: Mapping[str, tuple[int, Listing[str]]],
) -> Iterator[SplitRow]:
    """Draw the rows of a leaked split one by one: there is one an image. See `make_split`."""
    check_leaked_settings(split, patients)
    for part in ("train", "test"):
        for patient in split.get("patients") or patients:
            for unit in drawn_units(patient, split, seed, images)[part]:
                yield SplitRow(0, patient, anatomies.get(patient, patient), part, *unit)


def check_split(rows: Collection[SplitRow], patients: Collection[str]) -> None:
    """Refuse a table of an honest split that would let a model see what it is tested on.

    Raises
    ------
    InputError
        If a fold has a patient or an anatomy in two splits or a patient twice (but that a
        training patient may be seen, too), no patient to train on or to test, or if a patient is
        unknown.
    """
    known = set(patients)
    for row in rows:
        if row.patient not in known:
            raise unknown_patient(row.patient, patients)
    for fold in sorted({row.fold for row in rows} | {0}):
        of_fold = [row for row in rows if row.fold == fold]
        apart = [row for row in of_fold if row.split != "seen"]
        _check_apart(fold, "patient", [(row.patient, row.split) for row in apart])
        _check_apart(fold, "anatomy", sorted({(row.anatomy, row.split) for row in apart}))
        seen = [(row.patient, row.split) for row in of_fold if row.split == "seen"]
        _check_apart(fold, "patient", seen)
        train = set(patients_of(of_fold, "train"))
        for patient, _ in seen:
            if patient not in train:
                raise InputError(
                    f"Fold {fold} has patient {patient} in seen, but not in train; only training "
                    "patients are tested as seen ones."
                )
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
    """Read the patients of each part of a fold, each once, in the table's order.

    Returns
    -------
        `{train: [...], validation: [...], test: [...], seen: [...]}`; in a leaked split a patient
        is in train and in test.

    Raises
    ------
    InputError
        See `read_rows`.
    """
    found: dict[str, dict[str, None]] = {part: {} for part in PARTS}
    for row in read_rows(path, fold):
        found[row.split].setdefault(row.patient)
    return {part: list(patients) for part, patients in found.items()}


def read_rows(path: str | Path, fold: int) -> Iterator[SplitRow]:
    """Read one fold of a table, row by row: a leaked split has one an image.

    Raises
    ------
    InputError
        If the table is missing or of another form, or has no such fold.
    """
    empty = True
    try:
        with Path(path).open(newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if tuple(reader.fieldnames or ()) != SplitRow._fields:
                raise ValueError(f"its columns are {', '.join(reader.fieldnames or ())}")
            for values in reader:
                if int(values["fold"]) == fold:
                    empty = False
                    yield _row(values)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run the stage `split` first.") from None
    except (TypeError, ValueError, csv.Error) as error:
        raise InputError(
            f"{path} is no table of a split ({error}); it has the columns "
            f"{', '.join(SplitRow._fields)}: make it again."
        ) from None
    if empty:
        raise InputError(f"{path} has no fold {fold}; ask for one that it has.")


def patients_of(rows: Iterable[SplitRow], part: str) -> list[str]:
    """Patients of one part of a fold, each once, in the rows' order."""
    return list(dict.fromkeys(row.patient for row in rows if row.split == part))


def _row(values: Mapping[str, str]) -> SplitRow:
    if values["split"] not in PARTS:
        raise ValueError(f"no split is called {values['split']!r}")
    number = int(values["slice"]) if values["slice"] else None
    return SplitRow(
        int(values["fold"]),
        values["patient"],
        values["anatomy"],
        values["split"],
        number,
        values["contrast"] or None,
    )


def _with_seen(
    parts: Mapping[str, list[str]], split: Mapping[str, Any], fold: int, seed: int
) -> dict[str, list[str]]:
    """Parts of a fold in the table's order, with the training patients that are tested too."""
    count, train = split.get("seen") or 0, parts["train"]
    if count > len(train):
        raise InputError(
            f"`split: seen: {count}` asks for more than the {len(train)} training patients of fold "
            f"{fold}; set it to at most {len(train)}."
        )
    order = in_drawn_order(train, seed) if isinstance(split.get("train"), list) else train
    return {part: parts[part] for part in APART} | {"seen": order[:count]}


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


def _cut(
    groups: list[list[str]], test: int, validation: int, train: int | None
) -> dict[str, list[str]]:
    taken, rest = _take(groups, test)
    parts = {"test": taken} | _cut_rest(rest, validation)
    if train is None:
        return parts
    left = len(parts["train"])
    if train > left:
        raise InputError(
            f"`split: train: {train}` asks for more than the {left} patients that validation and "
            f"test leave; set it to at most {left}, or leave it out for all of them."
        )
    return parts | {"train": _take(_take(rest, validation)[1], train)[0]}


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
