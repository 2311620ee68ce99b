# Bias correction, registration, masks and tissues, and one intensity scale a patient.


rule correct_bias:
    input:
        raw=raw_images,
        # Bad scans stop here; a check that is made again (another echo time) moves no image.
        checked=ancient("results/check_scans/{dataset}/{session}.json"),
    output:
        directory("results/correct_bias/{dataset}/{session}"),
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
        scans=raw_scans,
        options=correct_bias_options,
        code=code("correct_bias"),
    shell:
        "python -m pipeline_lib.stages.correct_bias --scans {params.scans:q}"
        " --checked {input.checked} --output {output} --options {params.options:q} &> {log}"


# One thread: with more, the sums of Mattes' mutual information differ from run to run.
rule register:
    input:
        corrected="results/correct_bias/{dataset}/{session}",
        truth=truth_folder,
    output:
        directory("results/register/{dataset}/{session}"),
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
        truth=named("--truth", truth_folder),
        options=dataset_options("reference", "register", contrasts=list, seeded=True),
        code=code("register"),
    shell:
        "python -m pipeline_lib.stages.register --corrected {input.corrected} {params.truth}"
        " --session {wildcards.session} --output {output} --options {params.options:q} &> {log}"


rule segment:
    input:
        registered="results/register/{dataset}/{session}",
        tissues=tissue_source,
    output:
        directory("results/segment/{dataset}/{session}"),
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
        tissues=tissue_argument,
        options=dataset_options("reference", "segment", contrasts=list, seeded=True),
        code=code("segment"),
    shell:
        "python -m pipeline_lib.stages.segment --registered {input.registered} {params.tissues}"
        " --session {wildcards.session} --output {output} --options {params.options:q} &> {log}"


rule scale:
    input:
        registered=per_session("register"),
        segmented=per_session("segment"),
    output:
        "results/scale/{dataset}/{patient}.json",
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
        options=dataset_options("reference", "scale"),
        code=code("scale"),
    shell:
        "python -m pipeline_lib.stages.scale --registered {input.registered}"
        " --segmented {input.segmented} --patient {wildcards.patient} --output {output}"
        " --options {params.options:q} &> {log}"


rule bias_quality:
    input:
        raw=raw_images,
        corrected="results/correct_bias/{dataset}/{session}",
        registered="results/register/{dataset}/{session}",
        segmented="results/segment/{dataset}/{session}",
    output:
        directory("results/bias_quality/{dataset}/{session}"),
    log:
        "results/logs/bias_quality/{dataset}/{session}.log",
    benchmark:
        "results/benchmarks/bias_quality/{dataset}/{session}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=memory(400, scan_size, 100),
        runtime=minutes(10, session_size, 0.5),
    params:
        scans=raw_scans,
        options=dataset_options(contrasts=list),
        code=code("bias_quality"),
    shell:
        "python -m pipeline_lib.stages.bias_quality --scans {params.scans:q}"
        " --corrected {input.corrected} --registered {input.registered}"
        " --segmented {input.segmented} --session {wildcards.session} --output {output}"
        " --options {params.options:q} &> {log}"
