# The environment of the stages, and the record of every run.


def stages_environment():
    """Where `make` put the stages' Python, or where a container says that it is; or nowhere."""
    made = Path(os.environ.get("RECONTRAST_STAGES", ROOT / ".venv/stages"))
    return made if (made / "bin").exists() else None


def stages_path():
    """Where the stages' Python is: conda says so itself."""
    made = stages_environment()
    return "$PATH" if uses_conda() or not made else f"{made / 'bin'}:$PATH"


def check_stages_python():
    """Stop before any job where the stages would find no torch and no ANTs to import."""
    if uses_conda() or stages_environment():
        return
    question = "import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, sys.argv[1:])))"
    command = ["python", "-c", question, "torch", "ants", "nibabel"]
    if not shutil.which("python") or subprocess.run(command).returncode != 0:
        raise WorkflowError(
            "The Python on the path lacks torch, ants or nibabel, which the stages import: "
            "run `make setup` once, or add --use-conda."
        )


if workflow.is_main_process:
    check_stages_python()

# ITK takes all cores unless told; the other libraries follow what Snakemake exports.
# PYTHONPATH makes pipeline_lib importable in every environment and working directory. A conda
# environment would see what its user installed with `pip install --user`, too. By JOB_OF the next
# run finds jobs that outlived a kill of this Snakemake.
shell.prefix(
    f"set -euo pipefail; export PATH={stages_path()} PYTHONPATH={ROOT} MPLBACKEND=Agg "
    f"{'PYTHONNOUSERSITE=1 ' if uses_conda() else ''}"
    f"ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS=$OMP_NUM_THREADS {JOB_OF}={os.getpid()}; "
)


onstart:
    clear_up()
    # For the report and the crate; not an input of them, so that a commit alone reruns nothing.
    bring_records()
    record(start_run, describe_run())
    record(record_code, ROOT)
    keep_records()
    tell_disk()
    atexit.register(tell_refusal, RESULTS.absolute())


onsuccess:
    record_end("finished")


onerror:
    show_failures()
    record_end("failed")


def record_end(outcome):
    """Add the jobs of this run, and how it ended."""
    bring_benchmarks()
    record(end_run, outcome)
    keep_records()


def clear_up():
    """Take away what a killed run left, before its jobs start again."""
    orphans = find_orphans(Path.cwd())
    if orphans:
        stages = ", ".join(sorted(filter(None, set(orphans.values()))))
        logger.info(f"Ending jobs that outlived the kill of their run: {stages}.")
        end_jobs(orphans)
    places = {RESULTS, Path("results")}  # checkpoints stay here, whatever lies in a bucket
    removed = [path for place in places for path in remove_leftovers(place)]
    if removed:
        logger.info(f"Removed what killed jobs had half written ({len(removed)}).")


def record(write, content):
    """Keep what runs in the results folder; one that can't be written stops before any job."""
    try:
        write(RESULTS, content)
    except (InputError, StorageError) as error:
        raise WorkflowError(str(error)) from None


def tell_disk():
    """Say what the results will take, and warn where the disk has less."""
    if IN_STORAGE:
        return
    parts = needed(CONFIGURATION, RAW_SCANS)
    notice, warning = sentences(parts, KEEPS_INTERMEDIATE, Path("results"))
    logger.info(notice)
    if warning:
        logger.warning(warning)


def tell_refusal(results):
    """Say once more, in the end, that the disk is full: the stage's log had no room for it."""
    try:
        check_room(results)
    except StorageError as error:
        sys.stderr.write(f"Error: {error}\n")


def describe_run():
    """What is running: the commit of the workflow, its settings, its packages, its machine."""
    machine = describe_machine()
    return {
        "configuration": CONFIGURATION,
        "commit": commit_of(ROOT),
        "dirty": has_changes(ROOT),
        "versions": {
            "snakemake": snakemake.__version__,
            "python (driver)": platform.python_version(),
        },
        "packages": {name: packages_of(path) for name, path in environments().items()},
        "machine": machine,
        "rules": given_to_rules(has_gpus=bool(machine["gpus"]) or not workflow.local_exec),
    }


def environments():
    """Folders of Snakemake's own environment and of those of the stages."""
    found = {"driver": Path(sys.prefix)}
    if uses_conda():
        for made in workflow.dag.conda_envs.values():
            name = Path(made.file.get_path_or_uri(secret_free=True)).stem
            found[name] = Path(made.address)
        return found
    made = stages_environment()
    python = shutil.which("python")
    if made:
        found["stages"] = made
    elif python:
        found["stages"] = Path(python).parents[1]
    return found


def given_to_rules(has_gpus):
    """Code, cores and GPUs of each rule, for each model where they depend on it."""

    def given(made, wildcards=None):
        code, cores, gpus = (made.params.code, *map(made.resources.get, ("_cores", "gpu")))
        cores, gpus = (x.evaluate(wildcards) if x.is_evaluable() else x for x in (cores, gpus))
        return {
            "code": code(wildcards) if callable(code) else code,
            "cores": min(cores.value or 1, workflow.cores if workflow.local_exec else math.inf),
            "gpus": (gpus.value or 0) if has_gpus else 0,
        }

    found = {}
    for made in filter(lambda made: "code" in made.params.keys(), workflow.rules):
        if "model" in made.wildcard_names:
            models = {f"{made.name} {model}": SimpleNamespace(model=model) for model in MODELS}
            found |= {name: given(made, wildcards) for name, wildcards in models.items()}
        else:
            found[made.name] = given(made)
    return found
