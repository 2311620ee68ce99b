"""Imports go one way, so that a stage needs one environment and reruns only for its own code."""

from pathlib import Path

import pytest

from pipeline_lib.provenance import imported_modules

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pipeline_lib"
COMMON = {"batches", "errors", "files", "provenance", "runs", "workers"}
ALLOWED = {
    "signal": set(),
    "imaging": {"signal"},
    "phantom": {"signal", "imaging"},
    "slices": {"signal", "imaging"},
    "models": {"signal"},
    "quantify": {"signal", "imaging"},
    "training": {"signal", "slices", "models"},
    "evaluation": {"signal", "imaging", "slices", "models", "training", "quantify"},
}
ALLOWED["report"] = {*ALLOWED, "phantom"}
ALLOWED["stages"] = {*ALLOWED}
ALLOWED["compare"] = set()
ALLOWED["why"] = {"compare"}
ALLOWED["crate"] = {"compare"}
ALLOWED["disk"] = {"imaging", "batches", "checks", "experiments", "raw_scans", "sizes"}
# Subcommands of `recontrast` that read a configuration as the workflow does; no stage reaches them.
OF_COMMANDS = {
    "phantom/request.py": {"composition", "configuration"},
    "disk/command.py": {"composition", "configuration"},
}
# Third-party packages that a part must not need: its environment does not hold them.
FORBIDDEN = {
    "signal": {"ants", "pandas"},
    "imaging": {"torch"},
    "phantom": {"ants"},
    "slices": {"ants"},
    "models": {"ants", "nibabel"},
    "training": {"ants", "nibabel"},
    "quantify": {"ants"},
    "evaluation": {"ants"},
    "report": {"ants", "torch"},
    "compare": {"ants", "torch"},
    "why": {"ants", "torch", "numpy", "pandas"},
    "crate": {"ants", "torch"},
    "disk": {"ants", "torch", "numpy", "pandas", "nibabel"},
}


def modules(part):
    return sorted((PACKAGE / part).glob("*.py"))


@pytest.mark.parametrize("part", ALLOWED)
def test_a_part_imports_only_what_lies_below_it(part):
    for module in modules(part):
        parts = {name.split(".")[1] for name in imported_modules(module, ROOT) if "." in name}
        own = OF_COMMANDS.get(f"{part}/{module.name}", set())
        wrong = parts - ALLOWED[part] - COMMON - {part} - own
        assert not wrong, f"{module.relative_to(ROOT)} imports {wrong}"


@pytest.mark.parametrize("part", FORBIDDEN)
def test_a_part_needs_no_package_of_another_environment(part):
    for module in modules(part):
        lines = [line.split() for line in module.read_text().splitlines()]
        imported = {
            line[1].split(".")[0]
            for line in lines
            if len(line) > 1 and line[0] in ("import", "from")
        }
        wrong = imported & FORBIDDEN[part]
        assert not wrong, f"{module.relative_to(ROOT)} imports {wrong}"


def reached_from(stage):
    """Paths of all modules that a stage reaches by imports, by their dotted names."""
    reached, waiting = {}, [f"pipeline_lib.stages.{stage}"]
    while waiting:
        name = waiting.pop()
        path = ROOT / f"{name.replace('.', '/')}.py"
        if name not in reached and path.exists():
            reached[name] = path
            waiting += imported_modules(path, ROOT)
    return reached


def test_package_init_files_are_empty():
    for path in PACKAGE.rglob("__init__.py"):
        assert not path.read_text().strip(), (
            f"{path.relative_to(ROOT)} makes every module depend on all"
        )


def test_what_the_snakefile_imports_needs_no_numerical_package():
    reached, waiting = set(), ["configuration", "provenance", "imaging/bids", "imaging/sidecars"]
    waiting += ["machine", "runs", "disk/need", "leftovers"]
    while waiting:
        path = PACKAGE / f"{waiting.pop()}.py"
        if path in reached:
            continue
        reached.add(path)
        for name in imported_modules(path, ROOT):
            waiting.append("/".join(name.split(".")[1:]))
        text = path.read_text() if path.exists() else ""
        for package in ("numpy", "nibabel", "pandas", "torch", "ants"):
            assert f"import {package}" not in text, f"{path} imports {package}"


def test_a_training_reaches_no_network_of_another_system():
    stages = sorted((PACKAGE / "stages").glob("train_*.py"))
    families = {path.stem.removeprefix("train_") for path in stages}
    for stage in stages:
        reached = set(reached_from(stage.stem))
        own = stage.stem.removeprefix("train_")
        assert f"pipeline_lib.models.{own}" in reached
        assert not {f"pipeline_lib.models.{name}" for name in families - {own}} & reached
