"""Run a stage for several patients or sessions in one process, each as in a job of its own.

    python -m pipeline_lib.each --members sub-001 sub-007 -- pipeline_lib.stages.register \
        --corrected results/correct_bias/pelvis/batch-0000 --session batch-0000 \
        --output results/register/pelvis/batch-0000 --options '{...}'

Of the stage's arguments, the folders of a batch stand for those of its members, the batch's name
for theirs, and a list (of raw scans, say) is dealt out in equal shares.

What a member got is kept beside the batch, as hard links in `.members`, and taken from there where
nothing that it depends on has changed: when another member failed, or when the batch has one more.
"""

import argparse
import hashlib
import importlib
import json
import logging
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline_lib.batches import is_batch
from pipeline_lib.errors import InputError
from pipeline_lib.files import folder_written_whole, read_json, storage_error, write_json
from pipeline_lib.imaging.bids import patient_of
from pipeline_lib.imaging.sidecars import inherited_sidecars, sidecar_of
from pipeline_lib.provenance import code_digest
from pipeline_lib.stages.command import run_told

ROOT = Path(__file__).parents[1]
KEYS, KEPT = "members.json", ".members"
# Options of a stage that begin so name what it makes.
OUTPUT = "--output"
# The one whose value, a text as long as it likes to be, is no path.
OPTIONS = "--options"
LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batch:
    """A stage's command line for a batch, and its members.

    Attributes
    ----------
    stage
        Its module, such as `pipeline_lib.stages.register`.
    members
        Names of patients or sessions.
    options
        The values of each of its options.
    ancient
        Options whose folders, made again, change nothing.
    """

    stage: str
    members: tuple[str, ...]
    options: Mapping[str, tuple[str, ...]]
    ancient: frozenset[str] = frozenset()

    @cached_property
    def outputs(self) -> dict[str, Path]:
        """Folders of the batch that the stage makes, by option."""
        return {
            option: Path(value)
            for option, (value, *_) in self.options.items()
            if option.startswith(OUTPUT)
        }

    @cached_property
    def code(self) -> str:
        """Digest of the stage's code."""
        return code_digest(self.stage, ROOT)

    def of(self, member: str) -> dict[str, list[str]]:
        """Give the values of the options for one member.

        Raises
        ------
        InputError
            If a folder lacks the member, or a list can't be dealt out.
        """
        return {option: list(self._dealt(option, member)) for option in self.options}

    def _dealt(self, option: str, member: str) -> Iterator[str]:
        values = self.options[option]
        if option in self.outputs:
            yield str(self.outputs[option] / member)
        elif is_batch(values[0]):
            for value in values:
                named = value == Path(value).name
                yield from [member] if named else map(str, member_folders(Path(value), member))
        elif len(values) == 1:
            yield from values
        elif len(values) % len(self.members):
            raise InputError(
                f"{len(values)} values of {option} can't be dealt out to {len(self.members)} "
                "patients or sessions: give as many for each."
            )
        else:
            share = len(values) // len(self.members)
            place = self.members.index(member) * share
            yield from values[place : place + share]


def member_folders(folder: Path, member: str) -> list[Path]:
    """Find what a batch's folder has of a member: its own, its sessions', or its patient's.

    Raises
    ------
    InputError
        If there is none of them.
    """
    for found in ([folder / member], sorted(folder.glob(f"{member}_*"))):
        if found and found[0].is_dir():
            return found
    of_patient = folder / patient_of(member)
    if of_patient.is_dir():
        return [of_patient]
    raise InputError(f"{folder} lacks {member}; delete that folder and run again.")


def key_of(batch: Batch, values: Mapping[str, Sequence[str]]) -> str:
    """Digest of all that a member's results depend on: code, options, and what it reads.

    Folders of a batch are told by the digests that their own members were made with, other paths
    by their size and time of change.
    """
    read = {
        option: [value if option == OPTIONS else _told(value) for value in of_option]
        for option, of_option in values.items()
        if option not in batch.outputs and option not in batch.ancient
    }
    software = os.environ.get("CONDA_PREFIX", "")
    text = json.dumps([batch.stage, batch.code, software, read], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _told(value: str) -> str | list[tuple[str, int, int]]:
    path = Path(value)
    keys = path.parent / KEYS
    if is_batch(path.parent) and keys.is_file():
        return str(read_json(keys)[path.name])
    if not path.exists():
        return value
    files = sorted(path.rglob("*")) if path.is_dir() else _with_sidecars(path)
    states = ((str(file), file.stat()) for file in files)
    return [(name, state.st_size, state.st_mtime_ns) for name, state in states]


def _with_sidecars(scan: Path) -> list[Path]:
    beside = [*inherited_sidecars(scan), sidecar_of(scan)]
    return [scan, *(path for path in beside if path.is_file())]


def run_members(batch: Batch, keep: bool) -> None:
    """Run a stage for all members of a batch, or take what is kept of them.

    Parameters
    ----------
    batch
        Whom, and what.
    keep
        Leave what is kept where it is in the end, too.

    Raises
    ------
    InputError
        If a member failed. The others are done, and kept.
    StorageError
        If the disk is full or may not be written; the rest is not tried.
    """
    failed, keys = [], {}
    for member in batch.members:
        try:
            values = batch.of(member)
            keys[member] = key_of(batch, values)
            if taken(batch, member, keys[member]):
                LOG.info("%s is kept from before.", member)
                continue
            LOG.info("%s", member)
            run_one(batch, values)
        except Exception as error:
            told = storage_error(error, Path.cwd())
            if told is not None:
                raise told from error
            LOG.error("Error: %s", error, exc_info=not isinstance(error, InputError))
            failed.append(member)
        else:
            put_away(batch, member, keys[member])
    if failed:
        raise InputError(
            f"{len(failed)} of {len(batch.members)} failed, for the reasons above: "
            f"{', '.join(failed)}. What the others got is kept; mend or `exclude:` these, and run "
            "the same command again."
        )
    for folder in batch.outputs.values():
        write_json(folder / KEYS, keys)
    if not keep:
        for member in batch.members:
            clear(batch, member)


def run_one(batch: Batch, values: Mapping[str, Sequence[str]]) -> None:
    """Call a stage's `main` with the command line of one member."""
    sys.argv = [batch.stage]
    for option, of_option in values.items():
        sys.argv += [option, *of_option]
    importlib.import_module(batch.stage).main()


def kept_folder(output: Path, member: str) -> Path:
    """Say where the results of a batch's member are kept, beside the batch's own folder."""
    return output.parent / KEPT / member


def taken(batch: Batch, member: str, key: str) -> bool:
    """Put kept results of a member in their place, if there are any that were made so."""
    kept = [kept_folder(output, member) for output in batch.outputs.values()]
    for folder in kept:
        known = folder.with_suffix(".json")
        if not folder.is_dir() or not known.is_file() or read_json(known) != key:
            return False
    for folder, output in zip(kept, batch.outputs.values(), strict=True):
        _link(folder, output / member)
    return True


def put_away(batch: Batch, member: str, key: str) -> None:
    """Keep the results of a member; a file system without hard links keeps none."""
    clear(batch, member)
    for output in batch.outputs.values():
        kept = kept_folder(output, member)
        try:
            _link(output / member, kept)
        except OSError as error:
            LOG.info("%s is not kept apart from its batch: %s", output / member, error)
            clear(batch, member)
            return
        write_json(kept.with_suffix(".json"), key)


def clear(batch: Batch, member: str) -> None:
    """Remove what is kept of a member."""
    for output in batch.outputs.values():
        kept = kept_folder(output, member)
        kept.with_suffix(".json").unlink(missing_ok=True)
        shutil.rmtree(kept, ignore_errors=True)


def _link(folder: Path, to: Path) -> None:
    with folder_written_whole(to) as temporary:
        shutil.copytree(folder, temporary, copy_function=os.link, dirs_exist_ok=True)


def batch_of(arguments: Sequence[str]) -> tuple[Batch, bool]:
    """Read the command line: a batch, and whether to keep what its members got."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", nargs="+", required=True, help="patients or sessions")
    parser.add_argument(
        "--ancient", action="append", default=[], metavar="OPTION",
        help="option of the stage whose folders, made again, change nothing",
    )  # fmt: skip
    parser.add_argument("--temporary", action="store_true", help="keep nothing in the end")
    place = arguments.index("--") if "--" in arguments else len(arguments)
    known = parser.parse_args(arguments[:place])
    if len(arguments) < place + 2:
        parser.error("after -- comes the module of a stage, and its arguments")
    stage, *rest = arguments[place + 1 :]
    options: dict[str, list[str]] = {}
    for word in rest:
        if word.startswith("--"):
            options[word] = []
        else:
            options[next(reversed(options))].append(word)
    batch = Batch(
        stage=stage,
        members=tuple(known.members),
        options={option: tuple(values) for option, values in options.items()},
        ancient=frozenset(known.ancient),
    )
    return batch, not known.temporary


def main() -> None:
    """Run the stage that the command line names."""
    run_members(*batch_of(sys.argv[1:]))


if __name__ == "__main__":
    run_told(main)
