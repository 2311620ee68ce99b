"""A dry run and records as Snakemake writes them."""

import json

from pipeline_lib.why.records import Records

NOTHING = "<nothing exclusive>"


def told(rule, output, reason, inputs="", wildcards="", options=None, local=False):
    """Text of one job of a dry run."""
    command = f"python -m pipeline_lib.stages.{rule} --output {output}"
    if options is not None:
        command += f" --options '{json.dumps(options)}' &> {rule}.log"
    fields = {
        "input": inputs, "output": output, "log": f"{rule}.log", "jobid": "7", "reason": reason,
        "wildcards": wildcards, "resources": "tmpdir=/tmp",
    }  # fmt: skip
    lines = ["", "[Sat Nov 21 20:30:58 2026]", f"{'local' if local else ''}rule {rule}:"]
    lines += [f"    {name}: {text}" for name, text in fields.items() if text]
    return "\n".join([*lines, f"Shell command: {command}", ""])


def params(before, now):
    """Reason of a job whose params changed, by what each run alone had."""
    texts = [",".join(map(repr, each)) or NOTHING for each in (before, now)]
    return (
        "Params have changed since last execution: Union of exclusive params before and now across "
        f"all output: before: {texts[0]} now: {texts[1]} "
    )


def write_record(folder, output, rule, inputs=(), options=None, codes=(), others=()):
    """Write what Snakemake keeps of a file that a job made."""
    (folder / ".snakemake/metadata").mkdir(parents=True, exist_ok=True)
    values = [*others, *codes, *([] if options is None else [json.dumps(options)])]
    content = {
        "rule": rule, "input": sorted(inputs), "log": [f"{rule}/{output}.log"], "code": "python",
        "params": sorted(map(repr, values)), "record_format_version": 6,
    }  # fmt: skip
    path = Records(folder).path_of(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
