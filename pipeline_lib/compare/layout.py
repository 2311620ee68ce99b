"""Plain text that fits in a terminal of 80 columns."""

import textwrap
from collections.abc import Iterator, Sequence

WIDTH = 80
INDENT = "   "


def paragraph(text: str, indent: str = INDENT) -> list[str]:
    """Break a sentence into lines; the second line on is set in."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + INDENT if indent else "",
        break_on_hyphens=False,
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> Iterator[str]:
    """Set a table; its first column is cut where the line would get too long.

    Parameters
    ----------
    left
        Number of columns that are set to the left; the others hold numbers.
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    room = WIDTH - len(INDENT) - sum(widths[1:]) - 2 * (len(widths) - 1)
    widths[0] = min(widths[0], max(room, 8))
    for row in (header, *rows):
        cells = [shortened(row[0], widths[0]), *row[1:]]
        aligned = [
            cell.ljust(width) if index < left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        yield (INDENT + "  ".join(aligned)).rstrip()


def shortened(text: str, length: int) -> str:
    """Leave out the middle of a text that is longer than `length`."""
    if len(text) <= length:
        return text
    kept = length - 1
    return text[: (kept + 1) // 2] + "…" + text[len(text) - kept // 2 :]


def two_numbers(first: float, second: float) -> tuple[str, str]:
    """Write two numbers with so many digits that a difference shows."""
    for digits in (5, 9):
        texts = f"{first:.{digits}g}", f"{second:.{digits}g}"
        if texts[0] != texts[1]:
            return texts
    return f"{first:.17g}", f"{second:.17g}"


def listed(names: Sequence[str], limit: int | None) -> str:
    """Name the first ones and count the others."""
    shown = names if limit is None else names[:limit]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest:,} more" if rest else "")
