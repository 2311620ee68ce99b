# PD, T1 and T2 within the segmented tissues, fitted to all contrasts.


rule fit_maps:
    input:
        slices="results/slices/{dataset}/{patient}",
        truth=truth_folder,
    output:
        directory("results/fit_maps/{dataset}/{patient}"),
    log:
        "results/logs/fit_maps/{dataset}/{patient}.log",
    benchmark:
        "results/benchmarks/fit_maps/{dataset}/{patient}.tsv"
    conda:
        "../../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=memory(600, store_size, 20),
        runtime=minutes(20, store_size, 0.2),
    params:
        each=for_each(),
        truth=named("--truth", truth_folder),
        options=fit_options,
        code=code("fit_maps"),
    shell:
        "python -m {params.each}pipeline_lib.stages.fit_maps --slices {input.slices} {params.truth}"
        " --output {output} --options {params.options:q} &> {log}"


rule fit_maps_dataset:
    output:
        description="results/fit_maps/{dataset}/dataset_description.json",
        ignored="results/fit_maps/{dataset}/.bidsignore",
    log:
        "results/logs/fit_maps_dataset/{dataset}.log",
    benchmark:
        "results/benchmarks/fit_maps_dataset/{dataset}.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        options=lambda wildcards: as_options(dataset=wildcards.dataset),
        code=code("fit_maps_dataset"),
    shell:
        "python -m pipeline_lib.stages.fit_maps_dataset --output $(dirname {output.description})"
        " --options {params.options:q} &> {log}"


rule map_tissues:
    input:
        predictions="results/predict/{experiment}/{model}/fold-{fold}",
        slices=experiment_slices,
        split="results/split/{experiment}.csv",
        maps=experiment_maps,
    output:
        "results/map_tissues/{experiment}/{model}/fold-{fold}.csv",
    log:
        "results/logs/map_tissues/{experiment}/{model}/fold-{fold}.log",
    benchmark:
        "results/benchmarks/map_tissues/{experiment}/{model}/fold-{fold}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=memory(600, store_size, 20),
        runtime=minutes(20, predictions_size, 0.05),
    params:
        options=map_tissues_options,
        code=code("map_tissues"),
    shell:
        "python -m pipeline_lib.stages.map_tissues --predictions {input.predictions}"
        " --slices {input.slices} --split {input.split} --maps {input.maps} --output {output}"
        " --options {params.options:q} &> {log}"
