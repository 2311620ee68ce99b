"""Which jobs a change of the configuration touches, told without running Snakemake for each.

Run with the Python that has Snakemake: its parser turns the Snakefiles into Python once; each
configuration then executes them anew, with a stand-in for the workflow that only notes the rules.
From the rules follow the jobs, as Snakemake would derive them: by the names of their outputs.

    python graph.py ROOT < changes.json > touched.json
"""

import json
import re
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import yaml
from snakemake.parser import parse

TARGET = "results/report.html"


class Ancient(str):
    """A file that is needed, but whose making again reruns nothing."""

    __slots__ = ()


class Noting:
    """Stands for the workflow: notes rules and constraints, and nothing else."""

    def __init__(self, root, config):
        self.basedir, self.root, self.config = str(root), root, config
        self.overwrite_configfiles, self.is_main_process = ["config.yaml"], False
        self.deployment_settings = SimpleNamespace(deployment_method=[])
        self.storage_settings = SimpleNamespace(default_storage_provider=None)
        self.rules, self.constraints, self._next = [], {}, {}
        unchanged = {
            name: lambda value, *_, **__: value for name in ("directory", "temp", "report")
        }
        self.globals = {
            "workflow": self, "config": config, "ancient": Ancient, **unchanged,
            "shell": SimpleNamespace(prefix=lambda text: None),
        }  # fmt: skip

    def include(self, path):
        exec(compiled(self.root / path), self.globals)

    def global_wildcard_constraints(self, **patterns):
        self.constraints |= patterns

    def register_wildcard_constraints(self, **patterns):
        self._next["wildcard_constraints"] = patterns
        return lambda function: function

    def rule(self, name, **_):
        def end(function):
            self.rules.append(Rule(name, self._next, self.constraints))
            self._next = {}
            return function

        return end

    def __getattr__(self, directive):
        def note(*values, **named):
            # Decorators without arguments (run, onstart) get the function itself.
            if len(values) == 1 and getattr(values[0], "__name__", "").startswith("__"):
                return values[0]
            self._next[directive] = (*values, *named.values())
            return lambda function: function

        return note


@cache
def compiled(path):
    source = SimpleNamespace(get_path_or_uri=lambda secret_free=True: str(path))
    workflow = SimpleNamespace(sourcecache=SimpleNamespace(open=lambda source: path.open()))
    return compile(parse(source, workflow, {})[0], str(path), "exec")


class Rule:
    def __init__(self, name, directives, constraints):
        self.name, self._directives = name, directives
        own = constraints | directives.get("wildcard_constraints", {})
        self.patterns = [pattern(output, own) for output in directives.get("output", ())]

    def wildcards_of(self, file):
        found = (made.fullmatch(file) for made in self.patterns)
        return next((match.groupdict() for match in found if match), None)

    def values(self, directive, wildcards):
        """Values of input or params for some wildcards, each as it is written or computed."""
        for value in self._directives.get(directive, ()):
            if callable(value):
                value = value(SimpleNamespace(**wildcards))
            yield value

    def files(self, wildcards):
        for value in self.values("input", wildcards):
            for file in [value] if isinstance(value, str) else value:
                yield type(file)(file.format(**wildcards))


def pattern(output, constraints):
    parts = re.split(r"\{(\w+)\}", output)
    texts = [
        f"(?P<{part}>{constraints.get(part, '.+')})" if index % 2 else re.escape(part)
        for index, part in enumerate(parts)
    ]
    return re.compile("".join(texts))


def jobs_of(root, config):
    """Give all jobs of the report: {(rule, wildcards): (params, files, files whose making counts)}.

    Besides, the job that makes each file.
    """
    workflow = Noting(root, config)
    workflow.include("Snakefile")
    jobs, makers, waiting = {}, {}, [TARGET]
    while waiting:
        file = waiting.pop()
        if file in makers:
            continue
        found = ((rule, rule.wildcards_of(file)) for rule in workflow.rules)
        rule, wildcards = next((each for each in found if each[1] is not None), (None, None))
        if rule is None:
            makers[file] = None  # raw
            continue
        key = (rule.name, json.dumps(wildcards))
        makers[file] = key
        if key not in jobs:
            files = list(rule.files(wildcards))
            params = sorted(repr(value) for value in rule.values("params", wildcards))
            jobs[key] = (params, {str(f) for f in files}, [f for f in files if type(f) is str])
            waiting += files
    return jobs, makers


def touched(before, after):
    """Rules of the jobs that another configuration touches: those that begin, all that run, and the
    params that differ of one job of each rule that begins."""
    jobs, makers = after
    own = {key for key, job in jobs.items() if before[0].get(key, ([], set()))[:2] != job[:2]}
    users = {}
    for key, (_, _, files) in jobs.items():
        for file in files:
            users.setdefault(makers[file], []).append(key)
    following, waiting = set(), list(own)
    while waiting:
        for user in users.get(waiting.pop(), ()):
            if user not in following:
                following.add(user)
                waiting.append(user)
    begin = own - following
    params = {}
    for key in sorted(begin & before[0].keys()):
        sides = before[0][key][0], jobs[key][0]
        params[key[0]] = [key[1], *([v for v in a if v not in b] for a, b in (sides, sides[::-1]))]
    return {
        "begin": sorted({rule for rule, _ in begin}),
        "run": sorted({rule for rule, _ in own | following}),
        "params": params,
        "jobs": [[rule, json.loads(wildcards)] for rule, wildcards in sorted(begin)],
    }


def followers(graph):
    """Rules that come after each rule."""
    jobs, makers = graph
    next_of = {}
    for key, (_, _, files) in jobs.items():
        for file in files:
            if makers[file]:
                next_of.setdefault(makers[file][0], set()).add(key[0])
    reached = {rule: set(next_of.get(rule, ())) for rule, _ in jobs}
    while True:
        grown = {
            rule: found.union(*(reached[other] for other in found))
            for rule, found in reached.items()
        }
        if grown == reached:
            return {rule: sorted(found) for rule, found in reached.items()}
        reached = grown


def main():
    root = Path(sys.argv[1])
    sys.path.insert(0, str(root))
    from pipeline_lib import provenance

    # What a configuration doesn't change is read once.
    yaml.safe_load = cache(yaml.safe_load)
    provenance.code_digest = cache(provenance.code_digest)
    asked = json.load(sys.stdin)
    before = jobs_of(root, asked["base"])
    result = {"followers": followers(before), "changes": {}}
    for name, config in asked["changes"].items():
        try:
            result["changes"][name] = touched(before, jobs_of(root, config))
        except Exception as error:
            raise RuntimeError(f"{name}: {error}") from error
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
