"""Values of patients, gathered from the table of metrics piece by piece.

The table of ten thousand patients has a hundred million rows. What statistics need of it is a
number a patient, model and quantity, which are kept as arrays, one model after the other.
"""

from collections.abc import Iterable
from collections.abc import Sequence as Series

import numpy as np
import pandas as pd

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.pairs import BODY

Array = np.ndarray
Key = tuple[str, ...]

SYSTEM = ["experiment", "dataset", "model"]
QUANTITY = ["source", "target", "region", "metric"]
CELL = ["group", "parameters", "metric"]
ANATOMY = ("test", "seen")


class Means:
    """Means by patient and quantity of values that come in pieces.

    Sums are compensated (Kahan 1965) in the order of the rows, exactly as those of pandas are; a
    value that is not a number is left out.

    Parameters
    ----------
    quantity
        Columns that tell the quantities apart.

    Attributes
    ----------
    patients, quantities
        Row of each patient and column of each quantity, in the order in which they first occur.
    """

    def __init__(self, quantity: Series[str]) -> None:
        self.quantity = list(quantity)
        self.patients: dict[str, int] = {}
        self.quantities: dict[Key, int] = {}
        self._total, self._lost = np.zeros((0, 0)), np.zeros((0, 0))
        self._count = np.zeros((0, 0), dtype=np.int32)
        self._held: dict[str, Array] = {}

    def add(self, rows: pd.DataFrame, once: str | None = None) -> int | None:
        """Add the values of some rows.

        Parameters
        ----------
        rows
            The columns `patient`, `value` and those of the quantities.
        once
            A label below which no value may come twice.

        Returns
        -------
            The first row whose value came before, if there is any: nothing was added then.
        """
        of_row = _places(rows["patient"], self.patients)
        of_value = self._columns(rows)
        self._grow()
        places = of_row * self._total.shape[1] + of_value
        turns = _turns(places)
        if once is not None:
            held = self._held.setdefault(once, np.zeros(self._total.shape, dtype=bool)).reshape(-1)
            twice = np.flatnonzero(held[places] | (turns > 0))
            if len(twice):
                return int(twice[0])
            held[places] = True
        values = rows["value"].to_numpy(float)
        for turn in range(int(turns.max(initial=-1)) + 1):
            chosen = turns == turn
            self.add_at(places[chosen], values[chosen])
        return None

    def _columns(self, rows: pd.DataFrame) -> Array:
        """Give the column of each row's quantity, a new one where it is new."""
        found = [_numbered(rows[name]) for name in self.quantity]
        codes, names = [numbers for numbers, _ in found], [uniques for _, uniques in found]
        shape = list(map(len, names))
        # One number a row for all columns of the table together, then one for each that occurs.
        kinds, occurring = pd.factorize(np.ravel_multi_index(codes, shape))
        places = zip(*np.unravel_index(occurring, shape), strict=True)
        columns = []
        for at in places:
            key = tuple(name[place] for name, place in zip(names, at, strict=True))
            columns.append(self.quantities.setdefault(key, len(self.quantities)))
        return np.array(columns, dtype=np.intp)[kinds]

    def add_at(self, places: Array, values: Array) -> None:
        """Add values at places of the flattened arrays, none of them twice."""
        known = ~np.isnan(values)
        places, values = places[known], values[known]
        total, lost = self._total.reshape(-1), self._lost.reshape(-1)
        with np.errstate(invalid="ignore"):
            added = values - lost[places]
            sums = total[places] + added
            rest = sums - total[places] - added
        total[places], lost[places] = sums, np.where(np.isnan(rest), 0, rest)
        self._count.reshape(-1)[places] += 1

    def values(self) -> Array:
        """Means [patient, quantity] in the order of `patients` and `quantities`; else NaN."""
        shape = len(self.patients), len(self.quantities)
        count = self._count[: shape[0], : shape[1]]
        means = np.full(shape, np.nan)
        return np.divide(self._total[: shape[0], : shape[1]], count, out=means, where=count > 0)

    def pooled(self, out_of: Iterable[tuple[Key, Key]]) -> "Means":
        """Give each patient's means of some quantities under the keys of others.

        Parameters
        ----------
        out_of
            Key of a quantity, and that of the mean which it goes into, in the order to add them.
        """
        result, values = Means(self.quantity), self.values()
        result.patients = self.patients
        pairs = [(key, result.quantities.setdefault(into, len(result.quantities)))
                 for key, into in out_of]  # fmt: skip
        result._grow()
        rows = np.arange(len(values)) * result._total.shape[1]
        for key, column in pairs:
            result.add_at(rows + column, values[:, self.quantities[key]])
        return result

    def _grow(self) -> None:
        """Make room for all patients and quantities; for more than asked, as more may come."""
        rows, columns = self._total.shape
        if len(self.patients) <= rows and len(self.quantities) <= columns:
            return
        if len(self.patients) > rows:
            rows = max(len(self.patients), rows + rows // 4)
        columns = max(len(self.quantities), columns)
        more = [(0, rows - self._total.shape[0]), (0, columns - self._total.shape[1])]
        self._total, self._lost = np.pad(self._total, more), np.pad(self._lost, more)
        self._count = np.pad(self._count, more)
        self._held = {label: np.pad(held, more) for label, held in self._held.items()}


class Gathered:
    """What the statistics of some systems need of the table of metrics.

    Attributes
    ----------
    values
        For each system and group the means by patient and `QUANTITY`. Seen and external patients
        are tested with the model of every fold: theirs is the mean over the folds.
    cells
        For each system those by patient and `CELL`, over the body and over all pairs of different
        contrasts, of the groups `ANATOMY`.
    """

    def __init__(self, pieces: Iterable[pd.DataFrame] = ()) -> None:
        self.values: dict[tuple[Key, str], Means] = {}
        self.cells: dict[Key, Means] = {}
        for piece in pieces:
            self.add(piece)

    def add(self, piece: pd.DataFrame) -> None:
        """Add rows of the table.

        Raises
        ------
        InputError
            If a value occurs twice: a patient who was in the test of two folds among them (seen
            and external patients may be in several).
        """
        keys = [*SYSTEM, "group", "fold"]
        for values, rows in piece.groupby(keys, sort=False, observed=True):
            *system, group, fold = map(str, values)
            means = self.values.setdefault((tuple(system), group), Means(QUANTITY))
            # One label for all that were held out, so that a second fold is noticed.
            twice = means.add(rows, once="" if group == "test" else fold)
            if twice is not None:
                raise _tested_twice(rows.iloc[twice])
        compared = piece[
            piece["group"].isin(ANATOMY)
            & (piece["region"] == BODY)
            & (piece["source"].astype(str) != piece["target"].astype(str))
        ]
        for values, rows in compared.groupby(SYSTEM, sort=False, observed=True):
            self.cells.setdefault(tuple(map(str, values)), Means(CELL)).add(rows)


def _tested_twice(row: pd.Series) -> InputError:
    remedy = (
        "a patient is in the test of one fold only: delete results/evaluate of an earlier split"
        if row["group"] == "test"
        else "give each part of the results once"
    )
    return InputError(
        f"{row['patient']} was tested twice with {row['model']} of {row['experiment']} "
        f"(again in fold {row['fold']}); {remedy}."
    )


def _numbered(names: pd.Series) -> tuple[Array, list[str]]:
    """Give a number for each name, and the names in the order of the numbers."""
    codes, uniques = pd.factorize(names)
    return codes, list(map(str, uniques))


def _places(names: pd.Series, known: dict[str, int]) -> Array:
    """Give the number of each name in `known`, to which new ones are added."""
    codes, uniques = _numbered(names)
    places = [known.setdefault(name, len(known)) for name in uniques]
    return np.array(places, dtype=np.intp)[codes]


def _turns(places: Array) -> Array:
    """How often each place came before."""
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    first = np.flatnonzero(np.diff(ordered, prepend=-1))
    turns = np.empty(len(places), dtype=np.intp)
    starts = np.repeat(first, np.diff(first, append=len(places)))
    turns[order] = np.arange(len(places)) - starts
    return turns
