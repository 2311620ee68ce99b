"""Write results/report.html: what ran, what came out, how sure it is, how it looks."""

import logging
from datetime import datetime
from pathlib import Path

from pipeline_lib.files import read_json, written_whole
from pipeline_lib.report.collect import Results
from pipeline_lib.report.page import build_page
from pipeline_lib.report.request import Request
from pipeline_lib.stages.command import run_stage, stage_parser

log = logging.getLogger(__name__)


def main() -> None:
    """Run the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="results folder of the run")
    parser.add_argument(
        "--patients", type=Path, nargs="+", required=True, help="what the rule patients wrote"
    )
    parser.add_argument("--output", type=Path, required=True, help="HTML file to write")
    arguments = parser.parse_args()
    # What started the run: written by the workflow itself, so that a commit alone reruns nothing.
    run = arguments.results / "run.json"
    for path in arguments.patients:
        arguments.options["datasets"][path.stem]["sessions"] = read_json(path)
    request = Request.from_options(arguments.options | (read_json(run) if run.exists() else {}))
    page = build_page(request, Results(arguments.results), datetime.now().astimezone())
    with written_whole(arguments.output) as temporary:
        temporary.write_text(page, encoding="utf-8")
    log.info("%s: %.1f MB", arguments.output, len(page.encode()) / 1e6)


if __name__ == "__main__":
    run_stage(main)
