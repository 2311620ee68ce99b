"""The page: collects what ran and renders it as one HTML file that needs nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Any
from urllib.parse import quote

import pandas as pd
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline_lib.report import origin, run_tables, tables
from pipeline_lib.report.brief import Statement, statements
from pipeline_lib.report.collect import Results, Training
from pipeline_lib.report.curves import Chart, training_charts
from pipeline_lib.report.examples import Example, map_examples, transfer_examples
from pipeline_lib.report.forest import Forest, forest
from pipeline_lib.report.literature import literature_of
from pipeline_lib.report.matrices import MatrixSet, matrix_set
from pipeline_lib.report.pictures import QualityPictures, quality_pictures
from pipeline_lib.report.request import Dataset, Experiment, Request
from pipeline_lib.report.tables import Table

# More patients than this are folded away behind a summary.
LONG_SPLIT = 12


@dataclass(frozen=True)
class ExperimentChapter:
    """All that is shown of one experiment."""

    experiment: Experiment
    patients: int
    split_words: str
    split: Table | None
    said: list[Statement]
    forest: Forest | None
    transfer: Table | None
    ranges: str
    pairs: list[Table]
    regions: Table | None
    matrices: MatrixSet | None
    examples: list[Example]
    maps: list[Example]
    curves: dict[str, list[Chart]]


@dataclass(frozen=True)
class DatasetChapter:
    """All that is shown of one dataset."""

    dataset: Dataset
    contrasts: Table
    tissues: Table | None
    literature: str
    registration: Table | None
    registration_words: list[str]
    bias: Table | None
    pictures: QualityPictures


def build_page(request: Request, results: Results, when: datetime | None = None) -> str:
    """Render the report.

    Parameters
    ----------
    when
        What the page says of when it was made; left out if not given.

    Returns
    -------
        HTML that loads nothing from anywhere.
    """
    trainings = {
        experiment.name: list(results.trainings(experiment)) for experiment in request.experiments
    }
    cards = [training.card for made in trainings.values() for training in made]
    jobs = origin.read_jobs(results.root / "benchmarks")
    metrics, summary, tissues = results.metrics(), results.summary(), results.tissues()
    return (
        _environment()
        .get_template("report.html")
        .render(
            request=request,
            when="" if when is None else when.strftime("%Y-%m-%d %H:%M"),
            experiments=[
                _experiment(experiment, results, summary, metrics, trainings[experiment.name])
                for experiment in request.experiments
            ],
            datasets=[_dataset(dataset, request, results, tissues) for dataset in request.datasets],
            conventions=conventions(request.configuration),
            busy=run_tables.clock(origin.busy_seconds(jobs)) if jobs else "",
            job_count=len(jobs),
            costs=run_tables.cost_table(origin.rule_costs(jobs)),
            versions=origin.package_versions(request.versions, cards),
            machine=origin.machine(cards),
            configuration=yaml.safe_dump(
                dict(request.configuration), sort_keys=False, allow_unicode=True
            ),
            long_split=LONG_SPLIT,
            largest_bound=f"{run_tables.LARGEST_BOUND:g}",
            style=_own("style.css"),
            script=_own("report.js"),
            results_root=results.root,
        )
    )


def conventions(configuration: Mapping[str, Any]) -> list[str]:
    """Say what the numbers were measured with, in short sentences."""
    samples = configuration.get("evaluate", {}).get("bootstrap")
    said = [
        "Mask: the body, found on the target's side, the same for all systems.",
        "Data range R of PSNR and SSIM, for each target contrast: the median over the training "
        "patients of its 99.9th percentile within the body; the values stand with each experiment.",
        "NRMSE: root of the summed squared error over the root of the summed squared target.",
        "Unit: the patient. Voxels are pooled within a patient, then mean and SD are taken over "
        "patients; all systems of an experiment are tested on the same pairs, and those of a "
        "contrast with itself are in no mean over pairs.",
    ]
    if samples:
        said.append(f"Intervals: 95 %, bootstrap over patients, {samples} draws.")
    return said


def _experiment(
    experiment: Experiment,
    results: Results,
    summary: pd.DataFrame,
    metrics: pd.DataFrame,
    trainings: list[Training],
) -> ExperimentChapter:
    split = results.split(experiment)
    pairs = (tables.pair_table(experiment, summary, name) for name in ("nrmse", "psnr"))
    runs = [run for model in experiment.models for run in experiment.runs(model)]
    charts = {
        run.label: training_charts(trainings, run, f"curve-{experiment.name}-{number}")
        for number, run in enumerate(runs)
    }
    return ExperimentChapter(
        experiment=experiment,
        patients=split.loc[split["split"] == "test", "patient"].nunique(),
        split_words=run_tables.split_words(split) if not split.empty else "",
        split=run_tables.split_table(experiment, split),
        said=statements(summary, metrics, experiment.name, experiment.models),
        forest=forest(experiment, summary, "nrmse"),
        transfer=tables.transfer_table(experiment, summary),
        ranges=tables.range_words(experiment, metrics),
        pairs=[table for table in pairs if table],
        regions=tables.region_table(experiment, summary),
        matrices=matrix_set(
            summary, experiment, [*experiment.models, "look_up_table", "do_nothing"]
        ),
        examples=transfer_examples(results, experiment, metrics),
        maps=map_examples(results, experiment, metrics),
        curves={label: made for label, made in charts.items() if made},
    )


def _dataset(
    dataset: Dataset, request: Request, results: Results, tissues: pd.DataFrame
) -> DatasetChapter:
    registrations = results.registrations(dataset)
    book, literature = literature_of(request.settings_of(dataset.name))
    return DatasetChapter(
        dataset=dataset,
        contrasts=run_tables.contrasts_table(dataset, results.sequences(dataset)),
        tissues=run_tables.tissue_table(dataset, tissues, literature),
        literature=book,
        registration=run_tables.registration_table(dataset, registrations),
        registration_words=run_tables.registration_words(registrations, dataset.reference),
        bias=run_tables.bias_table(dataset, results.bias(dataset)),
        pictures=quality_pictures(results, dataset, registrations),
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pipeline_lib.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["csv_uri"] = lambda text: f"data:text/csv;charset=utf-8,{quote(text)}"
    return environment


def _own(name: str) -> Markup:
    """Text of a style sheet or script of this package, which needs no escaping."""
    folder = resources.files("pipeline_lib.report") / "templates"
    return Markup((folder / name).read_text(encoding="utf-8"))
