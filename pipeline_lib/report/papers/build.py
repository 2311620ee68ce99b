"""The chapter of a paper, if the run has an experiment of it."""

from collections.abc import Callable, Mapping

from pipeline_lib.report.collect import Evaluated, Results
from pipeline_lib.report.papers import alkan2017, crl2024, narang2022, simko2021
from pipeline_lib.report.papers.chapter import PaperChapter
from pipeline_lib.report.papers.measured import Material
from pipeline_lib.report.request import Request

CHAPTERS: Mapping[str, Callable[[Material], PaperChapter]] = {
    "simko2021": simko2021.chapter,
    "alkan2017": alkan2017.chapter,
    "crl2024": crl2024.chapter,
    "narang2022": narang2022.chapter,
}


def paper_chapter(
    paper: str, request: Request, results: Results, tables: Evaluated
) -> PaperChapter | None:
    """Make the chapter of a paper.

    Parameters
    ----------
    paper
        One of `CHAPTERS`, which are in the order of the page.

    Returns
    -------
        None where the run has no experiment of that paper.
    """
    experiments = tuple(each for each in request.experiments if each.paper == paper)
    if not experiments:
        return None
    return CHAPTERS[paper](Material(request, results, tables, experiments))
