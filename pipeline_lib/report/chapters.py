"""The chapters of the page: all that is shown of an experiment, of a paper, of a dataset."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline_lib.report import pair_tables, run_tables, tables
from pipeline_lib.report.brief import Statement, statements
from pipeline_lib.report.collect import Evaluated, Results, Training
from pipeline_lib.report.comparisons import comparison_table
from pipeline_lib.report.curves import Chart, training_charts
from pipeline_lib.report.examples import map_examples, transfer_examples
from pipeline_lib.report.fitted_maps import FittedMaps, fitted_maps
from pipeline_lib.report.forest import Forest, forest
from pipeline_lib.report.generalisation import external_tables, generalisation_table
from pipeline_lib.report.map_tables import maps_table
from pipeline_lib.report.matrices import MatrixSet, matrix_set
from pipeline_lib.report.panels import Example, Panel
from pipeline_lib.report.papers.build import CHAPTERS, paper_chapter
from pipeline_lib.report.papers.chapter import PaperChapter
from pipeline_lib.report.pictures import QualityPictures, quality_pictures
from pipeline_lib.report.request import Dataset, Experiment, Request
from pipeline_lib.report.tables import Table
from pipeline_lib.report.verdict import scores, winner


@dataclass(frozen=True)
class ExperimentChapter:
    """All that is shown of one experiment."""

    experiment: Experiment
    patients: int
    split_words: str
    split: Table | None
    said: list[Statement]
    strip: tuple[Panel, ...]
    forest: Forest | None
    transfer: Table | None
    more: Table | None
    ranges: str
    comparisons: Table | None
    generalisation: list[Table]
    external: list[Table]
    pairs: list[Table]
    regions: Table | None
    matrices: MatrixSet | None
    examples: list[Example]
    map_values: Table | None
    maps: list[Example]
    curves: dict[str, list[Chart]]
    trainings: int


@dataclass(frozen=True)
class Section:
    """Experiments under one heading: those of a paper with its chapter, or those of none."""

    key: str
    title: str
    paper: PaperChapter | None
    experiments: tuple[ExperimentChapter, ...]


@dataclass(frozen=True)
class DatasetChapter:
    """All that is shown of one dataset."""

    dataset: Dataset
    contrasts: Table
    maps: FittedMaps
    registration: Table | None
    registration_words: list[str]
    bias: Table | None
    pictures: QualityPictures


def experiment_chapter(
    experiment: Experiment, results: Results, evaluated: Evaluated, trainings: Sequence[Training]
) -> ExperimentChapter:
    """Collect what is shown of an experiment; `trainings` are those of all its models."""
    # What follows looks rows up again and again: in a table of one experiment that is quick.
    evaluated = evaluated.of(experiment.name)
    summary, tested = evaluated.summary, evaluated.tested
    split = results.split(experiment)
    pairs = (pair_tables.pair_table(experiment, summary, name) for name in ("nrmse", "psnr"))
    beyond = (
        generalisation_table(experiment, evaluated.generalisation, name)
        for name in ("nrmse", "psnr")
    )
    charts = {
        model: training_charts(trainings, model, f"curve-{experiment.name}-{number}")
        for number, model in enumerate(experiment.models)
    }
    examples = transfer_examples(results, experiment, tested)
    return ExperimentChapter(
        experiment=experiment,
        patients=split.loc[split["split"] == "test", "patient"].nunique(),
        split_words=run_tables.split_words(split) if not split.empty else "",
        split=run_tables.split_table(experiment, split),
        said=statements(experiment, evaluated),
        strip=_strip(experiment, evaluated, examples),
        forest=forest(experiment, summary, "nrmse"),
        transfer=tables.transfer_table(experiment, summary),
        more=tables.more_table(experiment, summary),
        ranges=tables.range_words(experiment, tested),
        comparisons=comparison_table(experiment, evaluated.comparisons),
        generalisation=[table for table in beyond if table],
        external=external_tables(experiment, evaluated.external),
        pairs=[table for table in pairs if table],
        regions=pair_tables.region_table(experiment, summary),
        matrices=matrix_set(
            summary, experiment, [*experiment.models, "look_up_table", "do_nothing"]
        ),
        examples=examples,
        map_values=maps_table(experiment, evaluated.maps, evaluated.tissues),
        maps=[] if experiment.leaked else map_examples(results, experiment, tested),
        curves={model: made for model, made in charts.items() if made},
        trainings=len(trainings),
    )


def _strip(
    experiment: Experiment, evaluated: Evaluated, examples: Sequence[Example]
) -> tuple[Panel, ...]:
    """Show the best learned system's answer to the median pair, or to the first that has one."""
    best = winner(scores(evaluated.summary, experiment.name, "nrmse"), "nrmse", experiment.models)
    shown = [example for example in examples if best in example.models]
    if best is None or not shown:
        return ()
    of_median = [example for example in shown if "median pair" in example.why]
    return (of_median or shown)[0].strip(best)


def sections(
    request: Request,
    results: Results,
    evaluated: Evaluated,
    chapters: Iterable[ExperimentChapter],
) -> list[Section]:
    """Group experiments by paper, in the order of the papers' chapters, then those of none."""
    made, rest = [], list(chapters)
    for key in CHAPTERS:
        own = tuple(chapter for chapter in rest if chapter.experiment.paper == key)
        if own:
            rest = [chapter for chapter in rest if chapter not in own]
            paper = paper_chapter(key, request, results, evaluated)
            made.append(Section(key, paper.title if paper else key, paper, own))
    if rest:
        made.append(Section("", "Experiments of no paper" if made else "", None, tuple(rest)))
    return made


def dataset_chapter(
    dataset: Dataset, request: Request, results: Results, evaluated: Evaluated, sessions: int
) -> DatasetChapter:
    """Collect what is shown of a dataset, with pictures of at most so many sessions."""
    registrations = results.registrations(dataset)
    return DatasetChapter(
        dataset=dataset,
        contrasts=run_tables.contrasts_table(dataset, results.sequences(dataset)),
        maps=fitted_maps(dataset, request, results, evaluated),
        registration=run_tables.registration_table(dataset, registrations),
        registration_words=run_tables.registration_words(registrations, dataset.reference),
        bias=run_tables.bias_table(dataset, results.bias(dataset)),
        pictures=quality_pictures(results, dataset, registrations, sessions),
    )
