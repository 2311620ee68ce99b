"""What Snakemake recorded of the jobs that made the present results."""

import ast
import json
import os
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_CODE = re.compile(r"(\w+)@([0-9a-f]{16})")


@dataclass(frozen=True)
class Params:
    """The params of a job, sorted by what they are.

    Attributes
    ----------
    options
        The sections of the configuration that the job reads.
    codes
        Digests of its code by stage.
    others
        All else: names of files, of patients, parts of its command line.
    """

    options: Mapping[str, Any]
    codes: Mapping[str, str]
    others: tuple[Any, ...]


@dataclass(frozen=True)
class Record:
    """What is recorded of a file that a job made."""

    rule: str
    inputs: tuple[str, ...]
    log: tuple[str, ...]
    params: Params


def sort_params(values: Iterable[Any]) -> Params:
    """Tell options, digests of code and all other params apart."""
    options: dict[str, Any] = {}
    codes: dict[str, str] = {}
    others = []
    for value in values:
        code = _CODE.fullmatch(value) if isinstance(value, str) else None
        sections = _sections(value)
        if code:
            codes[code[1]] = code[2]
        elif sections is not None:
            options |= sections
        else:
            others.append(value)
    return Params(options, codes, tuple(others))


def _sections(value: Any) -> dict[str, Any] | None:
    if not (isinstance(value, str) and value.startswith("{")):
        return None
    try:
        found = json.loads(value)
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


class Records:
    """The records below `.snakemake` of a folder, each read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / ".snakemake" / "metadata"
        self._longest = os.pathconf(folder, "PC_NAME_MAX") if folder.is_dir() else 255
        self.of = cache(self._read)

    def path_of(self, output: str) -> Path:
        """Path of a file's record: its name in base 64, in pieces that a folder can hold."""
        name = urlsafe_b64encode(output.encode()).decode()
        size = self._longest - 1
        pieces = [name[start : start + size] for start in range(0, len(name), size)]
        return self._folder.joinpath(*(f"@{piece}" for piece in pieces[:-1]), pieces[-1])

    def _read(self, output: str) -> Record | None:
        """Read what is recorded of a file; `None` where nothing (readable) is."""
        try:
            content = json.loads(self.path_of(output).read_text())
            values = [ast.literal_eval(text) for text in content["params"] or []]
            return Record(
                rule=content["rule"],
                inputs=tuple(content["input"] or ()),
                log=tuple(content["log"] or ()),
                params=sort_params(values),
            )
        except (OSError, ValueError, SyntaxError, KeyError, TypeError):
            return None

    def reached(self, outputs: Iterable[str], but: Iterable[str] = ()) -> dict[str, Record]:
        """Read the records of files and, again and again, of what they were made from.

        Parameters
        ----------
        but
            Files that are left out, with what they were made from alone.
        """
        without = set(but)
        found: dict[str, Record] = {}
        waiting = list(outputs)
        while waiting:
            output = waiting.pop()
            record = self.of(output) if output not in without and output not in found else None
            if record is not None:
                found[output] = record
                waiting += record.inputs
        return found
