"""What runs again after a change: the tables of docs/reruns.md, held against the rules."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from pipeline_lib.cli import main
from pipeline_lib.why.causes import Code, causes_of
from pipeline_lib.why.modules import stage_names
from pipeline_lib.why.plan import Job, read_plan
from tests.test_provenance import reworded
from tests.workflow import settings
from tests.workflow.conftest import ROOT, TINY, find_snakemake, planned, write_config

pytestmark = pytest.mark.workflow
PAGE = (ROOT / "docs/reruns.md").read_text()


def rows(heading):
    """Rows of the table below a heading of the page: the names in each cell."""
    section = re.split(r"^## ", PAGE.split(f"## {heading}\n")[1], flags=re.MULTILINE)[0]
    table = [line for line in section.splitlines() if line.startswith("| `")]
    for line in table:
        cells = [re.findall(r"`([^`]+)`", cell) for cell in line.strip("|").split(" | ")]
        yield [*cells, line]


def in_full(names):
    """Names of settings, of which one that begins with a dot lies beside the one before."""
    full = []
    for name in names:
        full.append(full[-1].rpartition(".")[0] + name if name.startswith(".") else name)
    return full


def told_settings():
    return {name: set(rules) for names, rules, _ in rows("Settings") for name in in_full(names)}


def told_model_settings():
    found = {}
    for names, systems, rules, line in rows("Settings of models"):
        for name in names:
            for system in systems if "| all |" not in line else settings.SYSTEMS:
                found[f"models.{system}.{name}"] = set(rules)
    return found


def graph(asked, folder):
    """Ask graph.py, in the environment of Snakemake and in a folder of its own."""
    program = find_snakemake()
    if program is None:
        pytest.skip("snakemake is not installed: run `make setup`")
    interpreter = Path(program).read_text().splitlines()[0].removeprefix("#!")
    done = subprocess.run(
        [interpreter, Path(__file__).with_name("graph.py"), ROOT],
        input=json.dumps(asked), capture_output=True, text=True, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def every_change(tmp_path_factory):
    """Each change of a setting: {setting: [(its assignments, what it touches), ...]}."""
    folder = tmp_path_factory.mktemp("every")
    settings.make_data(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        changes = settings.changes()
    named = {
        (name, place): assignments
        for name, of_setting in changes.items()
        for place, assignments in enumerate(of_setting)
    }
    asked = {
        "base": settings.every(),
        "changes": {f"{n} {p}": settings.changed(each) for (n, p), each in named.items()},
    }
    told = graph(asked, folder)
    found = {name: [] for name in changes}
    for (name, place), assignments in named.items():
        found[name].append((assignments, told["changes"][f"{name} {place}"]))
    return found, told["followers"]


def begun(found):
    """Rules that begin after the changes of a setting; the report alone where none other does."""
    rules = {rule for _, told in found for rule in told["begin"]}
    return rules - {"report"} or rules


def test_every_setting_is_in_the_tables_and_has_another_value(every_change):
    found, _ = every_change
    known = {*settings.known_settings(), "models.*"}
    assert set(told_settings()) == known
    of_models = {f"models.{s}.{k}" for k, of in settings.model_settings().items() for s in of}
    of_models |= {f"models.{s}.{key}" for s in settings.SYSTEMS for key in ("system", "scale")}
    assert set(told_model_settings()) == of_models
    assert set(found) == known | of_models
    assert all(found.values())


def test_each_setting_reruns_first_what_the_table_says(every_change):
    found, _ = every_change
    table = told_settings() | told_model_settings()
    wrong = {
        name: {"runs": begun(of), "table": table[name]}
        for name, of in found.items()
        if begun(of) != table[name]
    }
    assert not wrong


def test_a_setting_of_a_model_trains_that_model_alone(every_change):
    found, _ = every_change
    for name, of in found.items():
        if name.startswith("models.") and name != "models.*":
            models = {job[1]["model"].split(".")[0] for _, told in of for job in told["jobs"]
                      if "model" in job[1]}  # fmt: skip
            assert models <= {name.split(".")[1]}


def test_the_rules_that_follow_are_those_of_the_table(every_change):
    _, followers = every_change
    assert {rule: set(after) for (rule,), after, _ in rows("Rules")} == {
        rule: set(after) for rule, after in followers.items()
    }


def test_why_names_the_setting_that_changed(every_change):
    found, _ = every_change
    for of_setting in found.values():
        for assignments, told in of_setting:
            for rule, (wildcards, before, now) in told["params"].items():
                if len(assignments) > 1 or before == now:
                    continue
                reason = f"x: before: {','.join(before)} now: {','.join(now)} "
                job = Job(rule, json.loads(wildcards), (), (), {"params": reason}, "")
                texts = " ".join(c.text for c in causes_of(job, None, Code(ROOT, ())))
                (setting,) = assignments
                assert setting in texts or re.search(turned(setting), texts), (setting, rule, texts)


def turned(setting):
    """Pattern of how a job sees a setting that is turned into others before any job reads it."""
    into = {
        r"scale": r"models\.\w+\.",
        r".*\.drawn_contrasts\..*": r"\.contrasts\.drawn00|\.contrasts gained",
        r".*\.(exclude|patients|dataset)": r"(patients|sessions|given).* (gained|lost)",
        r".*\.(root|match|file)": r"what it is given gained",
        r".*\.contrasts\.\w+": r"contrasts gained|given gained",
    }
    return next((seen for whole, seen in into.items() if re.fullmatch(whole, setting)), "(?!)")


# The same on a finished run, as Snakemake itself plans it ----------------------------------------


def tiny(**assignments):
    """Give the tiny configuration after some assignments, as `settings.changed` does."""
    config = yaml.safe_load(TINY.read_text())
    for path, value in assignments.items():
        *sections, last = path.split("__")
        place = config
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value
    return config


@pytest.fixture(scope="module")
def expected(finished):
    """What graph.py tells of some changes of the tiny configuration."""
    config = yaml.safe_load(TINY.read_text())
    changes = {name: tiny(**change) for name, change in CHANGES.items()}
    return graph({"base": config, "changes": changes}, finished)["changes"]


CHANGES = {
    "shrink": {"datasets__pelvis__correct_bias__shrink": 2},
    "seen": {"experiments__pelvis__split__seen": 0},
    "unpairing": {"experiments__pelvis__unpairing__max_shift": 3},
    "maps": {"datasets__pelvis__fit_maps__gains": {"T1w": 1.1}},
}


@pytest.mark.parametrize("change", CHANGES)
def test_snakemake_runs_what_the_graph_tells(change, finished, expected, snakemake, tmp_path):
    config = write_config(tmp_path, **tiny(**CHANGES[change]))
    output = snakemake(finished, "results/report.html", "-n", configfile=config).stdout
    assert planned(output) == set(expected[change]["run"])


def test_other_seen_patients_train_nothing_again(expected):
    assert expected["seen"]["begin"] == ["split"]
    assert "predict" in expected["seen"]["run"]
    assert "train" not in expected["seen"]["run"]


def plan(snakemake, folder, config, *arguments):
    output = snakemake(folder, "results/report.html", "-n", "-p", *arguments, configfile=config)
    return read_plan(output.stdout)


def test_one_more_model_trains_and_tests_that_model_alone(finished, snakemake, tmp_path):
    change = {"models__more": {"system": "crl_code", "steps": 4}}
    change["experiments__pelvis__models"] = ["unet", "simko", "more"]
    jobs = plan(snakemake, finished, write_config(tmp_path, **tiny(**change)))
    assert {job.rule for job in jobs if "model" not in job.wildcards} == {"evaluation", "report"}
    assert {job.wildcards["model"] for job in jobs if "model" in job.wildcards} == {"more"}
    assert "train" in {job.rule for job in jobs}


def test_one_more_patient_is_prepared_alone(finished, snakemake, tmp_path):
    change = {"datasets__pelvis__virtual__patients": 4}
    jobs = plan(snakemake, finished, write_config(tmp_path, **tiny(**change)))
    of_patients = [job for job in jobs if {"session", "patient"} & job.wildcards.keys()]
    assert {job.wildcards.get("session") or job.wildcards["patient"] for job in of_patients} == {
        "sub-004"
    }
    assert {"simulate", "correct_bias", "register", "slices", "fit_maps"} <= {
        job.rule for job in of_patients
    }


@pytest.fixture
def project(tmp_path):
    """A copy of the project whose code a test may change."""
    for name in ("Snakefile", "workflow", "config", "profiles", "envs", "pipeline_lib"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    if (ROOT / ".venv").exists():
        (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path


def test_comments_and_docstrings_of_all_modules_rerun_nothing(finished, snakemake, project):
    for path in (project / "pipeline_lib").rglob("*.py"):
        path.write_text(reworded(path.read_text()))
    arguments = ("results/report.html", "-n", "--snakefile", project / "Snakefile")
    assert "Nothing to be done" in snakemake(finished, *arguments).stdout


def test_a_change_in_a_module_reruns_the_stages_that_reach_it(finished, snakemake, project):
    module = project / "pipeline_lib/imaging/bias.py"
    module.write_text(f"{module.read_text()}\nANOTHER = 1\n")
    arguments = ("results/report.html", "-n", "-p", "--snakefile", project / "Snakefile")
    jobs = read_plan(snakemake(finished, *arguments).stdout)
    begin = {job.rule for job in jobs if "follows" not in job.reason}
    assert begin == {"correct_bias"}
    assert not {"simulate", "check_scans"} & {job.rule for job in jobs}


def test_why_tells_of_a_finished_run(finished, tmp_path, capsys):
    common = ["why", "--directory", str(finished), "--configfile"]
    assert main([*common, str(TINY)]) == 0
    shown = capsys.readouterr().out
    assert "results/report.html is up to date: nothing would run." in shown
    assert "train (6)" in shown
    config = write_config(tmp_path, **tiny(**CHANGES["shrink"], models__unet__steps=9))
    assert main([*common, str(config)]) == 1
    words = " ".join(capsys.readouterr().out.split())
    assert (
        "correct_bias of sub-001, sub-002, sub-003 (pelvis), because "
        "datasets.pelvis.correct_bias.shrink went from 4 to 2. Then follow: register (3)"
    ) in words
    assert (
        "train of unet (leaked, one_pair, pelvis), because models.unet.steps went from 8" in words
    )
    assert "Not again: check_scans (3)," in words


def test_a_run_records_the_modules_of_all_stages(finished):
    (version,) = json.loads((finished / "results/code.json").read_text())["versions"]
    assert set(version["stages"]) == set(stage_names(ROOT))
    recorded = (finished / ".snakemake/metadata").iterdir()
    codes = {
        code for path in recorded for code in re.findall(r"(\w+)@([0-9a-f]{16})", path.read_text())
    }
    assert codes <= set(version["stages"].items())
