# The slice store, the patient split, and the draws of the unpairing.


rule slices:
    input:
        registered=per_session("register"),
        segmented=per_session("segment"),
        checked=per_session("check_scans"),
        scale="results/scale/{dataset}/{patient}",
    output:
        directory("results/slices/{dataset}/{patient}"),
    log:
        "results/logs/slices/{dataset}/{patient}.log",
    benchmark:
        "results/benchmarks/slices/{dataset}/{patient}.tsv"
    wildcard_constraints:
        dataset="|".join(SCANNED_DATASETS) or "none",
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=memory(500, store_size, 12),
        runtime=minutes(20, store_size, 0.2),
    params:
        each=for_each(),
        options=dataset_options("slices", contrasts=list),
        code=code("slices"),
    shell:
        "python -m {params.each}pipeline_lib.stages.slices --registered {input.registered}"
        " --segmented {input.segmented} --checked {input.checked} --scale {input.scale}"
        " --patient {wildcards.patient} --output {output} --options {params.options:q} &> {log}"


rule import_pictures:
    input:
        raw_pictures,
    output:
        directory("results/slices/{dataset}/{patient}"),
    log:
        "results/logs/import_pictures/{dataset}/{patient}.log",
    benchmark:
        "results/benchmarks/import_pictures/{dataset}/{patient}.tsv"
    wildcard_constraints:
        dataset="|".join(set(USED_DATASETS) - set(SCANNED_DATASETS)) or "none",
    localrule: True
    conda:
        "../../envs/imaging.yaml"
    params:
        options=dataset_options("reference", "scale", "slices", contrasts=dict),
        code=code("import_pictures"),
    shell:
        "python -m pipeline_lib.stages.import_pictures --pictures {input:q}"
        " --patient {wildcards.patient} --output {output} --options {params.options:q} &> {log}"


rule split:
    input:
        patients=split_patients,
        slices=leaked_slices,
    output:
        "results/split/{experiment}.csv",
    log:
        "results/logs/split/{experiment}.log",
    benchmark:
        "results/benchmarks/split/{experiment}.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        slices=named("--slices", leaked_slices),
        options=split_options,
        code=code("split"),
    shell:
        "python -m pipeline_lib.stages.split --patients {input.patients} {params.slices} --output {output}"
        " --options {params.options:q} &> {log}"


rule unpair:
    input:
        slices=experiment_slices,
    output:
        "results/unpair/{experiment}.csv",
    log:
        "results/logs/unpair/{experiment}.log",
    benchmark:
        "results/benchmarks/unpair/{experiment}.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        options=lambda wildcards: as_options(
            seed=CONFIGURATION["seed"],
            unpairing=EXPERIMENTS[wildcards.experiment]["unpairing"],
        ),
        code=code("unpair"),
    shell:
        "python -m pipeline_lib.stages.unpair --slices {input.slices} --output {output}"
        " --options {params.options:q} &> {log}"
