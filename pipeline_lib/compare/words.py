"""A comparison in plain words: the verdict, what was set, what ran, what came out."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from pipeline_lib.compare.comparison import Comparison
from pipeline_lib.compare.folders import KINDS
from pipeline_lib.compare.layout import INDENT, listed, paragraph, shortened, table, two_numbers
from pipeline_lib.compare.numbers import TableComparison, relative_difference
from pipeline_lib.compare.settings import ABSENT, SettingDifference, count_settings

# Of a long value, so many characters; of a list of names, so many; of a table other than the
# summary, so many of its largest differences. All without a limit where all is asked for.
VALUE_LENGTH = 60
NAMES = 6
FEW = 3


def as_text(comparison: Comparison, limit: int | None) -> str:
    """Write the comparison for a reader.

    Parameters
    ----------
    limit
        Number of settings and values that are told one by one; `None` for all.
    """
    lines = [
        f"A: {comparison.first.path}",
        f"B: {comparison.second.path}",
        "",
        *paragraph(verdict_sentence(comparison), indent=""),
        "",
        "1. What was set",
        *_set(comparison, limit),
        "",
        "2. What ran",
        *_ran(comparison, limit),
        "",
        "3. What came out",
        *_came_out(comparison, limit),
    ]
    return "\n".join(lines)


def verdict_sentence(comparison: Comparison) -> str:
    """Say in one sentence whether the folders differ, and in what."""
    tables = comparison.tables.values()
    values = sum(table.values for table in tables)
    differing = sum(len(table.differences) for table in tables)
    ways = ["what was set"] if comparison.settings else []
    if comparison.other_ran:
        ways.append("what ran")
    if comparison.verdict == "numbers":
        also = f"; also in {' and in '.join(ways)}" if ways else ""
        text = f"They differ in numbers: {differing:,} of the {values:,} that both hold{also}."
    elif comparison.verdict == "same":
        held = (
            f"what ran and all {values:,} numbers" if values else "what ran (there are no numbers)"
        )
        known = "" if comparison.settings is None else "what was set, "
        text = f"They are the same: {known}{held}."
        if any(ABSENT not in (found.first, found.second) for found in comparison.origin):
            text += " Their commit, versions or machine differ."
    else:
        only = "only " if len(ways) == 1 else ""
        both = (
            f"all {values:,} numbers that both hold are the same"
            if values
            else ("there are no numbers that both hold")
        )
        text = f"They differ {only}in {' and in '.join(ways)}: {both}."
    if comparison.settings is None:
        text += " What was set is not known."
    if comparison.tolerance:
        text += f" (The same: within a relative difference of {comparison.tolerance:g}.)"
    return text


def _set(comparison: Comparison, limit: int | None) -> Iterator[str]:
    first, second = comparison.first, comparison.second
    settings = comparison.settings
    if settings is None:
        sides = {"A": first, "B": second}
        unknown = " and ".join(name for name, side in sides.items() if side.configuration is None)
        yield from paragraph(
            f"The configuration is not known of {unknown}: run.json holds none (an older version "
            "of the workflow wrote it, or it is missing)."
        )
    else:
        total = count_settings(first.configuration)
        many = f"{len(settings):,} differences" if settings else "no difference"
        yield from paragraph(f"Configuration ({total:,} settings in A): {many}.")
        yield from _differences(settings, limit)
    if comparison.origin:
        yield from paragraph("Commit, versions and machine (no difference by themselves):")
        yield from _differences(comparison.origin, limit)
    elif first.origin:
        yield from paragraph("Commit, versions and machine are the same.")
    for name, side in {"A": first, "B": second}.items():
        if side.origin.get("dirty"):
            yield from paragraph(f"{name} ran with changes that were in no commit.")


def _differences(found: list[SettingDifference], limit: int | None) -> Iterator[str]:
    for difference in found[:limit]:
        one, other = difference.first, difference.second
        if one is ABSENT:
            words = f"only in B: {_value(other, limit)}"
        elif other is ABSENT:
            words = f"only in A: {_value(one, limit)}"
        elif isinstance(one, list) and isinstance(other, list) and one and other:
            words = _entries(one, other, limit)
        else:
            words = f"A: {_value(one, limit)}, B: {_value(other, limit)}"
        yield from paragraph(f"{difference.name}: {words}")
    yield from _more(len(found), limit)


def _entries(first: list[Any], second: list[Any], limit: int | None) -> str:
    """Tell the entries that only one list has; long lists would look alike when shortened."""
    missing = {
        "A": [entry for entry in first if entry not in second],
        "B": [entry for entry in second if entry not in first],
    }
    words = [f"only in {side}: {_value(part, limit)}" for side, part in missing.items() if part]
    return "entries " + ", ".join(words) if words else "the same entries, not in the same order"


def _value(value: Any, limit: int | None) -> str:
    if isinstance(value, Mapping) and value:
        return f"a section of {count_settings(value):,} settings"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if limit is None else shortened(text, VALUE_LENGTH)


def _ran(comparison: Comparison, limit: int | None) -> Iterator[str]:
    for found in comparison.ran[:limit]:
        place = f" {'in' if found.kind == 'patient' else 'of'} {found.place}" if found.place else ""
        names = listed(found.names, None if limit is None else NAMES)
        yield from paragraph(f"{found.kind}s{place} only in {found.side}: {names}")
    yield from _more(len(comparison.ran), limit)
    if not comparison.ran:
        yield from paragraph("Both hold the same experiments, models, patients and files.")
    for name, side in {"A": comparison.first, "B": comparison.second}.items():
        if not side.splits:
            yield from paragraph(f"{name} holds no split tables, so its patients are not compared.")


def _came_out(comparison: Comparison, limit: int | None) -> Iterator[str]:
    if not comparison.tables:
        yield from paragraph("There is no table of the evaluation in both.")
        return
    yield from table(
        ("table", "rows in both", "only A", "only B", "numbers", "differ"),
        [
            (
                name,
                *(f"{n:,}" for n in (one.rows, one.only_first, one.only_second, one.values)),
                f"{len(one.differences):,}",
            )
            for name, one in comparison.tables.items()
        ],
    )
    for name, one in comparison.tables.items():
        if len(one.differences):
            few = limit if limit is None or name == "summary.csv" else FEW
            yield from _largest(name, one, few)
    if comparison.pooled is not None:
        yield from _pooled(comparison.pooled, comparison.tolerance, limit)
    if comparison.paired is not None:
        yield from _paired(comparison.paired, limit)


def _largest(name: str, one: TableComparison, limit: int | None) -> Iterator[str]:
    """Tell the largest differences, of the column that a reader looks at first if it differs."""
    main = KINDS[name].main
    found = one.differences
    shown = found[found["column"] == main] if one.columns.get(main) else found
    counts = ", ".join(f"{column} {count:,}" for column, count in one.columns.items() if count)
    yield ""
    yield from paragraph(f"{name}, the largest relative differences (differing: {counts}):")
    for row in shown.head(len(shown) if limit is None else limit).to_dict("records"):
        a, b = two_numbers(row["a"], row["b"])
        yield from paragraph(f"{_label(row, main)}: A: {a}, B: {b} ({_percent(row['relative'])})")
    yield from _more(len(shown), limit)


def _label(row: Mapping[Any, Any], main: str) -> str:
    """Name a number of a table, such as `pelvis, unet, T1w → T2w, body, psnr`."""
    names = {key: str(row[key]) for key in row if key not in ("a", "b", "relative")}
    if names.get("dataset") == names.get("experiment"):
        names.pop("dataset", None)
    if names["column"] == main:
        del names["column"]
    if "fold" in names:
        names["fold"] = f"fold {names['fold']}"
    if "target" in names:
        names["source"] = f"{names['source']} → {names.pop('target')}"
    return ", ".join(name for name in names.values() if name)


def _percent(relative: float) -> str:
    # A space where no line is broken.
    return (
        "one is not finite"
        if relative == float("inf")
        else f"{100 * relative:.3g}\N{NO-BREAK SPACE}%"
    )


def _pooled(pooled: pd.DataFrame, tolerance: float, limit: int | None) -> Iterator[str]:
    yield ""
    relative = relative_difference(pooled["a"].to_numpy(float), pooled["b"].to_numpy(float))
    found = pooled[relative > tolerance]
    if found.empty:
        yield from paragraph(f"Means over all pairs (body): all {len(pooled):,} are the same.")
        return
    yield from paragraph(
        f"Means over all pairs (body): {len(found):,} of {len(pooled):,} differ. n: patients in A, "
        "B; intervals: whether the 95 % intervals of both means overlap."
    )
    overlap = {True: "overlap", False: "apart"}
    for title, part in _by_experiment(found, limit):
        rows = [
            (
                row["model"],
                row["metric"].upper(),
                f"{row['n_a']}, {row['n_b']}",
                *two_numbers(row["a"], row["b"]),
                f"{row['difference']:+.3g}",
                overlap.get(row["overlap"], "none"),
            )
            for row in part.to_dict("records")
        ]
        yield from (
            "", *table((title, "metric", "n", "A", "B", "B - A", "intervals"), rows, left=2)
        )  # fmt: skip
    yield from _more(len(found), limit)


def _paired(paired: pd.DataFrame, limit: int | None) -> Iterator[str]:
    yield ""
    found = paired[(paired["better"] > 0) | (paired["worse"] > 0) | paired["difference"].isna()]
    if found.empty:
        yield from paragraph(
            "Patient by patient, no mean over pairs differs."
            if len(paired)
            else "No patient was tested with the same model and pair in both."
        )
        return
    yield from paragraph(
        "Patient by patient (tested in both; mean over the pairs that both have; body): for how "
        "many B is better and worse than A."
    )
    for title, part in _by_experiment(found, limit):
        rows = [
            (
                row["model"],
                row["metric"].upper(),
                str(row["patients"]),
                f"{row['difference']:+.3g}",
                str(row["better"]),
                str(row["worse"]),
            )
            for row in part.to_dict("records")
        ]
        yield from (
            "", *table((title, "metric", "patients", "mean B - A", "better", "worse"), rows, left=2)
        )  # fmt: skip
    yield from _more(len(found), limit)


def _by_experiment(found: pd.DataFrame, limit: int | None) -> Iterator[tuple[str, pd.DataFrame]]:
    shown = found if limit is None else found.head(limit)
    for (experiment, dataset), part in shown.groupby(["experiment", "dataset"], sort=False):
        yield str(experiment) if experiment == dataset else f"{experiment} ({dataset})", part


def _more(count: int, limit: int | None) -> Iterator[str]:
    if limit is not None and count > limit:
        yield f"{INDENT}... and {count - limit:,} more (--all shows them)"
