# Bias correction, registration, masks and tissues, and one intensity scale a patient.


rule correct_bias:
    input:
        raw=raw_images,
        # Bad scans stop here; a check that is made again (another echo time) moves no image.
        checked=ancient("results/check_scans/{dataset}/{session}"),
    output:
        intermediate("results/correct_bias/{dataset}/{session}"),
    log:
        "results/logs/correct_bias/{dataset}/{session}.log",
    benchmark:
        "results/benchmarks/correct_bias/{dataset}/{session}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=memory(600, scan_size, 150),
        runtime=minutes(30, session_size, 2),
    params:
        each=for_each(temporary=not KEEPS_INTERMEDIATE, ancient="--checked"),
        scans=raw_scans,
        raw=raw_state(),
        options=correct_bias_options,
        code=code("correct_bias"),
    shell:
        "python -m {params.each}pipeline_lib.stages.correct_bias --scans {params.scans:q}"
        " --checked {input.checked} --output {output} --options {params.options:q} &> {log}"


# One thread: with more, the sums of Mattes' mutual information differ from run to run.
rule register:
    input:
        corrected="results/correct_bias/{dataset}/{session}",
        truth=truth_folder,
    output:
        intermediate("results/register/{dataset}/{session}"),
    log:
        "results/logs/register/{dataset}/{session}.log",
    benchmark:
        "results/benchmarks/register/{dataset}/{session}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=memory(600, registration_size, 150),
        runtime=minutes(30, registrations_size, 2),
    params:
        each=for_each(temporary=not KEEPS_INTERMEDIATE),
        truth=named("--truth", truth_folder),
        options=dataset_options("reference", "register", contrasts=list, seeded=True),
        code=code("register"),
    shell:
        "python -m {params.each}pipeline_lib.stages.register --corrected {input.corrected} {params.truth}"
        " --session {wildcards.session} --output {output} --options {params.options:q} &> {log}"


rule segment:
    input:
        registered="results/register/{dataset}/{session}",
        tissues=tissue_source,
    output:
        intermediate("results/segment/{dataset}/{session}"),
    log:
        "results/logs/segment/{dataset}/{session}.log",
    benchmark:
        "results/benchmarks/segment/{dataset}/{session}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=memory(600, scan_size, 300),
        runtime=minutes(30, session_size, 2),
    params:
        each=for_each(temporary=not KEEPS_INTERMEDIATE),
        tissues=tissue_argument,
        options=dataset_options("reference", "segment", contrasts=list, seeded=True),
        code=code("segment"),
    shell:
        "python -m {params.each}pipeline_lib.stages.segment --registered {input.registered} {params.tissues}"
        " --session {wildcards.session} --output {output} --options {params.options:q} &> {log}"


rule scale:
    input:
        registered=per_session("register"),
        segmented=per_session("segment"),
    output:
        directory("results/scale/{dataset}/{patient}"),
    log:
        "results/logs/scale/{dataset}/{patient}.log",
    benchmark:
        "results/benchmarks/scale/{dataset}/{patient}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=memory(300, scan_size, 50),
        runtime=minutes(10, session_size, 0.2),
    params:
        each=for_each(),
        options=dataset_options("reference", "scale"),
        code=code("scale"),
    shell:
        "python -m {params.each}pipeline_lib.stages.scale --registered {input.registered}"
        " --segmented {input.segmented} --patient {wildcards.patient} --output {output}"
        " --options {params.options:q} &> {log}"


# What is worth knowing of a session when its volumes are gone.
rule quality:
    input:
        raw=raw_images,
        corrected="results/correct_bias/{dataset}/{session}",
        registered="results/register/{dataset}/{session}",
        segmented="results/segment/{dataset}/{session}",
    output:
        directory("results/quality/{dataset}/{session}"),
    log:
        "results/logs/quality/{dataset}/{session}.log",
    benchmark:
        "results/benchmarks/quality/{dataset}/{session}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=memory(400, scan_size, 100),
        runtime=minutes(10, session_size, 0.5),
    params:
        each=for_each(),
        scans=raw_scans,
        raw=raw_state(),
        options=dataset_options(contrasts=list),
        code=code("quality"),
    shell:
        "python -m {params.each}pipeline_lib.stages.quality --scans {params.scans:q}"
        " --corrected {input.corrected} --registered {input.registered}"
        " --segmented {input.segmented} --session {wildcards.session} --output {output}"
        " --options {params.options:q} &> {log}"
