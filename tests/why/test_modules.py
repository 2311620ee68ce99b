import json

import pytest

from pipeline_lib import provenance
from pipeline_lib.why.modules import (
    changed_modules,
    present_version,
    read_versions,
    record_code,
    stage_names,
)


@pytest.fixture
def project(tmp_path):
    for folder in ("pipeline_lib", "pipeline_lib/stages"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").touch()
    write(tmp_path, "stages/fit", "from pipeline_lib.physics import decay\ndecay(1)\n")
    write(tmp_path, "stages/cut", "print(1)\n")
    write(tmp_path, "physics", "def decay(t):\n    return 2 * t\n")
    return tmp_path


def write(project, module, text):
    (project / f"pipeline_lib/{module}.py").write_text(text)
    # Another process would read the files anew.
    provenance.imported_modules.cache_clear()
    provenance._module_digest.cache_clear()


def digest(project, stage):
    return present_version([stage], project)["stages"][stage]


def test_the_modules_that_changed_are_named(project, tmp_path):
    before = digest(project, "fit")
    record_code(tmp_path / "results", project)
    write(project, "physics", "def decay(t):\n    return 3 * t\n")
    versions = read_versions(tmp_path / "results/code.json")
    assert changed_modules("fit", before, versions, project) == ["pipeline_lib.physics"]


def test_a_module_that_is_imported_now_is_named_with_the_one_that_imports_it(project, tmp_path):
    before = digest(project, "cut")
    record_code(tmp_path, project)
    write(project, "edges", "x = 1\n")
    write(project, "stages/cut", "import pipeline_lib.edges\n")
    found = changed_modules("cut", before, read_versions(tmp_path / "code.json"), project)
    assert found == ["pipeline_lib.edges", "pipeline_lib.stages.cut"]


def test_a_digest_that_no_run_recorded_is_not_known(project, tmp_path):
    record_code(tmp_path, project)
    versions = read_versions(tmp_path / "code.json")
    assert changed_modules("fit", "0" * 16, versions, project) is None


def test_a_stage_that_is_gone_changed_itself(project, tmp_path):
    before = digest(project, "cut")
    record_code(tmp_path, project)
    (project / "pipeline_lib/stages/cut.py").unlink()
    versions = read_versions(tmp_path / "code.json")
    assert changed_modules("cut", before, versions, project) == ["pipeline_lib.stages.cut"]


def test_only_other_code_is_another_entry_and_the_oldest_are_forgotten(project, tmp_path):
    path = tmp_path / "code.json"
    record_code(tmp_path, project)
    record_code(tmp_path, project)
    assert len(read_versions(path)) == 1
    for number in range(120):
        versions = [*read_versions(path), {"stages": {}, "modules": {"m": str(number)}}]
        path.write_text(json.dumps({"versions": versions[-100:]}))
    record_code(tmp_path, project)
    versions = read_versions(path)
    assert len(versions) == 100
    assert set(versions[-1]["stages"]) == set(stage_names(project)) == {"cut", "fit"}


@pytest.mark.parametrize("text", ["", "[]", '{"versions": [1]}', '{"versions": 3}'])
def test_a_record_of_another_form_is_an_empty_one(text, tmp_path):
    (tmp_path / "code.json").write_text(text)
    assert read_versions(tmp_path / "code.json") == []
