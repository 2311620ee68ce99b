# Bias correction, registration, masks and tissues, and one intensity scale a patient.


rule correct_bias:
    input:
        raw=raw_input,
        checked="results/check_scans/{dataset}/{session}.json",
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
        mem_mb=memory(4000),
        runtime=60,
    params:
        scans=raw_scans,
        options=dataset_options("contrasts", "reference", "correct_bias"),
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
        mem_mb=memory(4000),
        runtime=120,
    params:
        truth=named("--truth", truth_folder),
        options=dataset_options("contrasts", "reference", "register", seeded=True),
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
        mem_mb=memory(4000),
        runtime=60,
    params:
        tissues=tissue_argument,
        options=dataset_options("contrasts", "reference", "segment", seeded=True),
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
        mem_mb=memory(2000),
        runtime=10,
    params:
        options=dataset_options("contrasts", "reference", "scale"),
        code=code("scale"),
    shell:
        "python -m pipeline_lib.stages.scale --registered {input.registered}"
        " --segmented {input.segmented} --patient {wildcards.patient} --output {output}"
        " --options {params.options:q} &> {log}"


rule bias_quality:
    input:
        raw=raw_input,
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
        mem_mb=memory(2000),
        runtime=10,
    params:
        scans=raw_scans,
        options=dataset_options("contrasts"),
        code=code("bias_quality"),
    shell:
        "python -m pipeline_lib.stages.bias_quality --scans {params.scans:q}"
        " --corrected {input.corrected} --registered {input.registered}"
        " --segmented {input.segmented} --session {wildcards.session} --output {output}"
        " --options {params.options:q} &> {log}"
