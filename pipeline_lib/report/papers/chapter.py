"""What the page shows of one published experiment: the paper's numbers beside the measured ones."""

from dataclasses import dataclass

from markupsafe import Markup

from pipeline_lib.report.panels import Example
from pipeline_lib.report.tables import Table


@dataclass(frozen=True)
class PaperFigure:
    """One figure: inline SVG as `Markup`, or the data URI of a picture as plain text.

    Attributes
    ----------
    caption
        The line below it.
    alt
        What it shows, for those who can't see it.
    """

    image: Markup | str
    caption: str
    alt: str


@dataclass(frozen=True)
class PaperPart:
    """One table or figure of the paper, reproduced; `text` says how far the numbers compare."""

    heading: str
    text: str
    tables: tuple[Table, ...] = ()
    figures: tuple[PaperFigure, ...] = ()
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class PaperChapter:
    """All that is shown of one paper.

    Attributes
    ----------
    key
        As in the configuration, such as `simko2021`.
    said
        Sentences: what the paper did, on what, and what was done here.
    """

    key: str
    title: str
    citation: str
    said: tuple[str, ...]
    parts: tuple[PaperPart, ...]
