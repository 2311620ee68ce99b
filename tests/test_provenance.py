import pytest

from pipeline_lib.provenance import code_digest


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
    from pipeline_lib import provenance

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
