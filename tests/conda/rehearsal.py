"""Run the tiny workflow with `--use-conda`, from a local channel and by a stand-in for conda."""

import json
import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw

from tests.conda.environments import ROOT
from tests.conda.needs import imports_of, stages_of
from tests.conda.standin import write_commands
from tests.workflow.conftest import TINY, find_snakemake, run_told

REPORT = "results/report.html"
# The path of the runs: no Python of this project, so that an environment must bring its own.
SYSTEM = os.pathsep.join(["/usr/local/bin", "/usr/bin", "/bin"])
IMPORT = """\
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


@dataclass
class Rehearsal:
    """A folder in which Snakemake makes and uses environments, and what that took."""

    folder: Path
    environments: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict)
    channel: dict[str, float] = field(default_factory=dict)

    def prepare(self) -> None:
        """Make the channel, the stand-in for conda, and the pictures of the tiny configuration."""
        channels = self.folder / "channels"
        command = [sys.executable, "-m", "tests.conda.channel", channels / "conda-forge"]
        start = time.perf_counter()
        said = _run([*command, *self.environments], cwd=ROOT)
        self.seconds["channel"] = time.perf_counter() - start
        self.channel = json.loads(said.splitlines()[-1])
        write_commands(self.folder / "conda", channels.as_uri())
        for run in ("with", "without"):
            pictures = self.folder / run / "pictures"
            pictures.mkdir(parents=True)
            for name, grey in (("pd", 200), ("t2", 90)):
                image = Image.new("L", (60, 50))
                ImageDraw.Draw(image).ellipse((5, 5, 45, 45), fill=grey)
                image.save(pictures / f"{name}.png")

    def snakemake(self, *arguments: str, run: str = "with", name: str | None = None) -> str:
        """Call Snakemake on the tiny configuration; gives what it said.

        Parameters
        ----------
        arguments
            Targets and options.
        run
            `with` conda on the path, or `without`: a folder each.
        name
            Under which its seconds are kept.
        """
        path = [str(self.folder / "conda/bin"), SYSTEM] if run == "with" else [os.environ["PATH"]]
        command = [find_snakemake(), "--snakefile", ROOT / "Snakefile", *arguments]
        command += ["--directory", self.folder / run, "--cores", "2", "--configfile", TINY]
        start = time.perf_counter()
        said = _run(command, cwd=ROOT, PATH=os.pathsep.join(path), NO_COLOR="1")
        if name is not None:
            self.seconds[name] = time.perf_counter() - start
        return said

    def prefixes(self, said: str) -> dict[str, Path]:
        """Folders of the environments that Snakemake said it made, by their names."""
        made = re.findall(r"Environment for \S+/(\w+)\.yaml created \(location: (\S+)\)", said)
        return {name: self.folder / "with" / location for name, location in made}

    def import_stages(self, environment: str, prefix: Path) -> list[str]:
        """Import the stages that run in an environment there, with all that they import late."""
        stages = stages_of(environment)
        names = list(dict.fromkeys(name for stage in stages for name in imports_of(stage)))
        python = [prefix / "bin/python", "-c", IMPORT]
        start = time.perf_counter()
        _run([*python, *names], cwd=self.folder, PYTHONPATH=str(ROOT), PYTHONNOUSERSITE="1")
        self.seconds[f"import {environment}"] = time.perf_counter() - start
        return stages


def seconds_to_make(prefix: Path) -> float:
    """Seconds between the files that Snakemake writes before and after it makes an environment."""
    before, after = prefix.with_suffix(".yaml"), prefix.with_suffix(".env_setup_done")
    return after.stat().st_mtime - before.stat().st_mtime


def _run(command: Sequence[object], cwd: Path, **environment: str) -> str:
    return run_told(command, cwd, {**os.environ, **environment}).stdout
