"""What every stage's command line shares: its options, its log lines, its last sentence."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from pipeline_lib.batches import is_batch, single_folders
from pipeline_lib.errors import InputError
from pipeline_lib.files import storage_error


def stage_parser(description: str | None) -> argparse.ArgumentParser:
    """Make a parser that already knows `--options`, the stage's settings as one JSON text."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--options", type=json.loads, required=True, help="settings that the stage reads, as JSON"
    )
    return parser


def without_batches(words: Sequence[str]) -> list[str]:
    """Put in place of folders of batches on a command line those of their patients or sessions."""
    found: list[str] = []
    for batched, neighbours in groupby(words, is_batch_folder):
        if batched:
            found += map(str, single_folders(map(Path, neighbours)))
        else:
            found += neighbours
    return found


def is_batch_folder(word: str) -> bool:
    """Tell whether a word of a command line is the folder of a batch that is there."""
    return is_batch(word) and Path(word).is_dir()


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage's `main` on single patients and sessions; see `run_told`."""
    sys.argv[1:] = without_batches(sys.argv[1:])
    run_told(main)


def run_told(main: Callable[[], None]) -> None:
    """Run a `main`; a bad input or disk ends it with one sentence and exit status 1."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr, force=True)
    try:
        main()
    except InputError as error:
        logging.getLogger(__name__).error("Error: %s", error)
        sys.exit(1)
    except Exception as error:
        told = storage_error(error, Path.cwd())
        if told is None:
            raise
        logging.getLogger(__name__).error("Error: %s", told)
        sys.exit(1)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        # All is written. What torch does among processes now and then aborts at the very end, when
        # the interpreter is taken down while the others still run, and torchrun then fails the job.
        logging.shutdown()
        os._exit(0)
