"""Numbers as the page writes them: digits, units, intervals, p values."""

import pandas as pd

from pipeline_lib.report.verdict import Score, metric_of


def number(value: float, digits: int) -> str:
    """Write a number with fixed digits, `–` where there is none, `∞` where it is infinite."""
    if pd.isna(value):
        return "–"
    if value in (float("inf"), float("-inf")):
        return "∞" if value > 0 else "−∞"
    return f"{value:.{digits}f}".replace("-", "−")


def signed(value: float, digits: int) -> str:
    """Write a difference with its sign, so that it is not read as a value."""
    text = number(value, digits)
    return f"+{text}" if value > 0 else text


def with_unit(value: float, metric: str) -> str:
    """Write a value of a metric with its digits and unit."""
    how = metric_of(metric)
    return f"{number(value, how.digits)} {how.unit}".strip()


def interval(score: Score, metric: str) -> str:
    """Write the 95 % interval and n of a score."""
    count = f"n = {score.n} patient{'' if score.n == 1 else 's'}"
    if score.n < 2 or pd.isna(score.low):
        return f"{count}, so no interval"
    digits = metric_of(metric).digits
    low, high = number(score.low, digits), number(score.high, digits)
    return f"95 % interval {low} to {high}, {count}"


def p_value(value: float) -> str:
    """Write a p value with two digits that count, as `p = 0.031` or `p < 0.001`."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}"


def mean_and_sd(mean: float, sd: float, digits: int) -> str:
    """Write `mean ± SD`, or the mean alone where the SD is undefined; `–` without a mean."""
    if pd.isna(mean):
        return "–"
    return number(mean, digits) + ("" if pd.isna(sd) else f" ± {number(sd, digits)}")
