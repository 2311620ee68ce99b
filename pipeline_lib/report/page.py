"""The page: collects what ran and renders it as one HTML file that needs nothing else."""

from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from typing import Any
from urllib.parse import quote

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline_lib.report import map_tables, origin, run_tables
from pipeline_lib.report.chapters import dataset_chapter, experiment_chapter, sections
from pipeline_lib.report.collect import Results
from pipeline_lib.report.opening import honest_first, lead, wins_table
from pipeline_lib.report.request import Request

# What need not be escaped in a data URI, beside letters and digits: it halves that of a table.
_PLAIN = " ,:;/()[]"
# More patients than this are folded away behind a summary.
LONG_SPLIT = 12
# Comparisons of more pairs of systems than this are.
LONG_COMPARISON = 12
# Sessions whose quality-control pictures are shown, of all datasets together.
SESSIONS_SHOWN = 12


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
    evaluated = results.evaluated()
    chapters = [
        experiment_chapter(experiment, results, evaluated, trainings[experiment.name])
        for experiment in request.experiments
    ]
    in_order = {
        experiment.name: place for place, experiment in enumerate(honest_first(request.experiments))
    }
    sessions = max(1, SESSIONS_SHOWN // max(1, len(request.datasets)))
    return (
        _environment()
        .get_template("report.html")
        .render(
            request=request,
            when="" if when is None else when.strftime("%Y-%m-%d %H:%M"),
            wins=wins_table(request.experiments, evaluated, _systems(request)),
            lead=lead(request.experiments, evaluated),
            experiments=chapters,
            in_brief=sorted(chapters, key=lambda chapter: in_order[chapter.experiment.name]),
            sections=sections(request, results, evaluated, chapters),
            datasets=[
                dataset_chapter(dataset, request, results, evaluated, sessions)
                for dataset in request.datasets
            ],
            conventions=conventions(request.configuration),
            busy=run_tables.clock(origin.busy_seconds(jobs)) if jobs else "",
            job_count=len(jobs),
            costs=run_tables.cost_table(origin.rule_costs(jobs, request.rules)),
            versions=origin.package_versions(request.versions, cards),
            machine=origin.machine(cards),
            configuration=yaml.safe_dump(
                dict(request.configuration), sort_keys=False, allow_unicode=True
            ),
            long_split=LONG_SPLIT,
            long_comparison=LONG_COMPARISON,
            largest_bound=f"{map_tables.LARGEST_BOUND:g}",
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
        "NRMSE: root of the summed squared error over the root of the summed squared target. NMI: "
        "normalised mutual information (Studholme 1999), from 1 to 2. Blur: perceptual blur "
        "(Crete 2007) of the answer over that of the target.",
        "Unit: the patient. Voxels are pooled within a patient, then mean and SD are taken over "
        "patients; all systems of an experiment are tested on the same pairs, and those of a "
        "contrast with itself are in no mean over pairs.",
    ]
    if samples:
        said.append(f"Intervals: 95 %, bootstrap over patients, {samples} draws.")
    return said


def _systems(request: Request) -> dict[str, str]:
    models = (model for experiment in request.experiments for model in experiment.models)
    return {model: request.system_of(model) for model in models}


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pipeline_lib.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["csv_uri"] = _csv_uri
    return environment


def _own(name: str) -> Markup:
    """Text of a style sheet or script of this package, which needs no escaping."""
    folder = resources.files("pipeline_lib.report") / "templates"
    return Markup((folder / name).read_text(encoding="utf-8"))


def _csv_uri(text: str) -> str:
    return f"data:text/csv;charset=utf-8,{quote(text, safe=_PLAIN)}"
