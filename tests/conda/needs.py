"""What the rules of an environment need: their stages, the modules and packages these reach."""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.conda.environments import ROOT, conda_name
from tests.test_imports import PACKAGE, reached_from

# Needed without an import of its own: {package: what in a module shows it}.
UNSEEN = {
    "pyarrow": r"\b(to|read)_parquet\(",  # pandas leaves the format to it
    "nilearn": r"find_spec\(\"nilearn\"\)",  # the brain's maps lie in its wheel
}


def rules() -> list[tuple[str, str, str]]:
    """Name, stage and environment of each rule; of `train` one a system. What a script does runs
    beside Snakemake, in its environment."""
    found = []
    systems = [path.stem for path in sorted((PACKAGE / "stages").glob("train_*.py"))]
    for path in sorted((ROOT / "workflow/rules").glob("*.smk")):
        for text in re.split(r"^rule ", path.read_text(), flags=re.MULTILINE)[1:]:
            if "script:" in text:
                continue
            name = text.split(":")[0]
            environment = re.findall(r"envs/(\w+)\.yaml", text)
            stages = re.findall(r"pipeline_lib\.stages\.(\w+)", text)
            found += [(name, stage, *environment) for stage in stages or systems]
    return found


def stages_of(environment: str) -> list[str]:
    """Stages that run in an environment."""
    return sorted({stage for _, stage, of_rule in rules() if of_rule == environment})


def imported(path: Path) -> Iterator[str]:
    """First names of the packages of others that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module.split(".")[0]]
        yield from {*names} - sys.stdlib_module_names - {PACKAGE.name}


def imports_of(stage: str) -> list[str]:
    """All that a stage imports early or late: modules of this package, packages of others."""
    reached = reached_from(stage)
    return [*reached, *sorted({name for path in reached.values() for name in imported(path)})]


def needs(environment: str) -> dict[str, set[str]]:
    """{package on conda-forge: modules that need it} of the stages that run in an environment."""
    distributions = packages_distributions()
    found = defaultdict(set)
    for stage in stages_of(environment):
        for module, path in reached_from(stage).items():
            for name in imported(path):
                assert name in distributions, f"{module} imports {name}, which is not installed"
                found[conda_name(distributions[name][0])].add(module)
            for package, sign in UNSEEN.items():
                if re.search(sign, path.read_text()):
                    found[package].add(module)
    return found
