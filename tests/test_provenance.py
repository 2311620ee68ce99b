import ast
import os
import re
import shutil
from pathlib import Path

import pytest

from pipeline_lib import provenance
from pipeline_lib.provenance import code_digest, files_digest

ROOT = Path(__file__).parents[1]
STAGES = sorted(path.stem for path in (ROOT / "pipeline_lib/stages").glob("[a-z]*.py"))


@pytest.fixture
def project(tmp_path):
    package = tmp_path / "pipeline_lib"
    (package / "stages").mkdir(parents=True)
    for folder in (package, package / "stages"):
        (folder / "__init__.py").touch()
    (package / "stages/fit.py").write_text("from pipeline_lib.physics import decay\n\ndecay(1)\n")
    (package / "physics.py").write_text("def decay(t):\n    return 2 * t\n")
    (package / "other.py").write_text("x = 1\n")
    return tmp_path


def digest(project):
    # Another process would read the files anew; here the caches must forget them.
    provenance.imported_modules.cache_clear()
    provenance._module_digest.cache_clear()
    return code_digest("pipeline_lib.stages.fit", project)


def test_comment_docstring_and_format_leave_the_digest(project):
    before = digest(project)
    (project / "pipeline_lib/physics.py").write_text(
        '"""Decay."""\n\n\ndef decay(t):\n    """Twice."""\n    # why\n    return (2 *\n  t)\n'
    )
    assert digest(project) == before


def test_change_of_an_imported_module_changes_the_digest(project):
    before = digest(project)
    (project / "pipeline_lib/physics.py").write_text("def decay(t):\n    return 3 * t\n")
    assert digest(project) != before


def test_change_of_a_module_that_is_not_reached_leaves_the_digest(project):
    before = digest(project)
    (project / "pipeline_lib/other.py").write_text("x = 2\n")
    assert digest(project) == before


def test_import_inside_a_function_is_followed(project):
    stage = project / "pipeline_lib/stages/fit.py"
    stage.write_text("def main():\n    from pipeline_lib import other\n    return other\n")
    before = digest(project)
    (project / "pipeline_lib/other.py").write_text("x = 2\n")
    assert digest(project) != before


def reached(stage):
    """Modules that a stage reaches by imports, found by the words of its lines."""
    found, waiting = set(), [f"pipeline_lib.stages.{stage}"]
    while waiting:
        name = waiting.pop()
        path = ROOT / f"{name.replace('.', '/')}.py"
        if name in found or not path.exists():
            continue
        found.add(name)
        for line in re.sub(r"\(([^)]*)\)", unbroken, path.read_text()).splitlines():
            if whole := re.match(r"\s*from (pipeline_lib[\w.]*) import (.+)", line):
                names = [
                    each.split()[0] for each in whole[2].split("#")[0].split(",") if each.strip()
                ]
                waiting += [whole[1], *(f"{whole[1]}.{each}" for each in names)]
            elif whole := re.match(r"\s*import (pipeline_lib[\w.]*)", line):
                waiting.append(whole[1])
    return found


def unbroken(parentheses):
    return parentheses[1].replace("\n", " ") if "\n" in parentheses[1] else parentheses[0]


def test_a_change_of_any_module_changes_the_stages_that_reach_it_and_no_other(monkeypatch):
    changed = None
    monkeypatch.setattr(provenance, "_module_digest", lambda path: "b" if path == changed else "a")
    before = {stage: code_digest(f"pipeline_lib.stages.{stage}", ROOT) for stage in STAGES}
    told = {stage: reached(stage) for stage in STAGES}
    for changed in (ROOT / "pipeline_lib").rglob("*.py"):
        module = ".".join(changed.relative_to(ROOT).with_suffix("").parts)
        others = {
            stage
            for stage in STAGES
            if code_digest(f"pipeline_lib.stages.{stage}", ROOT) != before[stage]
        }
        if changed.stem != "__init__":
            assert others == {stage for stage in STAGES if module in told[stage]}, module


def test_other_comments_and_docstrings_leave_the_digest_of_every_stage(tmp_path):
    before = {stage: code_digest(f"pipeline_lib.stages.{stage}", ROOT) for stage in STAGES}
    shutil.copytree(ROOT / "pipeline_lib", tmp_path / "pipeline_lib")
    for path in (tmp_path / "pipeline_lib").rglob("*.py"):
        path.write_text(reworded(path.read_text()))
    after = {stage: code_digest(f"pipeline_lib.stages.{stage}", tmp_path) for stage in STAGES}
    assert after == before


def reworded(text):
    """Give a module another first comment and other docstrings."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        value = first.value if isinstance(first, ast.Expr) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            before, quotes, after = lines[first.end_lineno - 1].rpartition('"""')
            lines[first.end_lineno - 1] = f"{before} Reworded.{quotes}{after}  # here, too"
    return "\n".join(["# Another comment.", *lines, ""])


@pytest.mark.parametrize("change", ["size", "time", "gone", "another"])
def test_the_digest_of_files_follows_their_state(tmp_path, change):
    paths = [tmp_path / "a.nii", tmp_path / "b.nii"]
    for path in paths:
        path.write_text("scan")
        os.utime(path, (1, 1))
    before = files_digest(paths)
    assert files_digest(paths[::-1]) == before
    provenance._state.cache_clear()
    if change == "size":
        paths[0].write_text("longer")
        os.utime(paths[0], (1, 1))
    elif change == "time":
        os.utime(paths[0], (2, 2))
    elif change == "gone":
        paths[0].unlink()
    else:
        paths.append(tmp_path / "c.nii")
    assert files_digest(paths) != before
