"""docs/maps.md: its tables are what the script computes, its commands and its Python work."""

import argparse
import re
import shlex
from pathlib import Path

import pytest

from benchmarks import map_quality
from pipeline_lib.cli import COMMANDS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/maps.md"
# Kilobytes, so that a clone stays small.
LARGEST_PICTURE = 300


def rows_of(text):
    """All rows of all tables, as tuples of their cells."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


def numbers(cells):
    return [float(each) for cell in cells for each in re.findall(r"[-+]?\d+(?:\.\d+)?", cell)]


def bright_rician_rows():
    """Those that are computed in no time."""
    return map_quality.rician_rows(snrs=(10, 100))


@pytest.mark.parametrize(
    ("table", "nearest"),
    [
        (map_quality.bound_rows, 0.005),
        (bright_rician_rows, 1.0),
        (map_quality.inversion_rows, 0.005),
        (map_quality.gain_rows, 0.005),
    ],
)
def test_the_tables_are_what_the_script_computes(table, nearest):
    printed = rows_of(PAGE.read_text(encoding="utf-8"))
    for row in table():
        found = [each for each in printed if each[0] == row[0] and len(each) == len(row)]
        # Another processor rounds otherwise; a change of the fit moves more than this.
        expected = pytest.approx(numbers(row[1:]), rel=0.05, abs=nearest)
        assert any(numbers(each[1:]) == expected for each in found), row


def blocks(language):
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_its_commands_are_understood():
    lines = blocks("")[0].replace("\\\n", "").splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    commands = [line[1:] for line in words if line[0] == "recontrast"]
    assert [name for name, *_ in commands] == ["simulate", "fit"]
    for name, *options in commands:
        parser = argparse.ArgumentParser()
        COMMANDS[name].add_arguments(parser)
        parser.parse_args(options)


def test_its_python_runs(capsys):
    (code,) = blocks("python")
    exec(code, {})
    sure, noise, t1 = numbers([capsys.readouterr().out.replace("T1", "")])
    assert sure > 90
    assert noise == pytest.approx(0.005, rel=0.1)
    assert t1 == pytest.approx(0.4, rel=0.1)


def test_its_picture_is_there_and_small():
    (path,) = re.findall(r"!\[.*?\]\((.*?)\)", PAGE.read_text(encoding="utf-8"))
    assert (PAGE.parent / path).stat().st_size < 1000 * LARGEST_PICTURE
