# Models and trivial baselines on held-out patients, then one tidy table of everything.


rule evaluate:
    input:
        slices=experiment_slices,
        split="results/split/{experiment}.csv",
        predictions="results/predict/{experiment}/{model}/fold-{fold}",
    output:
        "results/evaluate/{experiment}/{model}/fold-{fold}.parquet",
    log:
        "results/logs/evaluate/{experiment}/{model}/fold-{fold}.log",
    benchmark:
        "results/benchmarks/evaluate/{experiment}/{model}/fold-{fold}.tsv"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=memory(500, evaluation_size, 110),
        runtime=minutes(60, predictions_size, 0.1),
    params:
        options=evaluate_options,
        code=code("evaluate"),
    shell:
        "python -m pipeline_lib.stages.evaluate --slices {input.slices} --split {input.split}"
        " --fold {wildcards.fold} --predictions {input.predictions} --output {output}"
        " --options {params.options:q} &> {log}"


rule evaluate_baselines:
    input:
        slices=experiment_slices,
        split="results/split/{experiment}.csv",
        quality=experiment_quality,
    output:
        "results/evaluate_baselines/{experiment}/fold-{fold}.parquet",
    log:
        "results/logs/evaluate_baselines/{experiment}/fold-{fold}.log",
    benchmark:
        "results/benchmarks/evaluate_baselines/{experiment}/fold-{fold}.tsv"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=memory(500, baselines_size, 110),
        runtime=minutes(60, predictions_size, 0.1),
    params:
        options=evaluate_options,
        code=code("evaluate_baselines"),
    shell:
        "python -m pipeline_lib.stages.evaluate_baselines --slices {input.slices}"
        " --split {input.split} --fold {wildcards.fold} --registered {input.quality}"
        " --output {output} --options {params.options:q} &> {log}"


rule evaluate_external:
    input:
        slices=experiment_slices,
        external=external_slices,
        split="results/split/{experiment}.csv",
        predictions="results/predict_external/{dataset}/{experiment}/{model}/fold-{fold}",
    output:
        "results/evaluate_external/{dataset}/{experiment}/{model}/fold-{fold}.parquet",
    log:
        "results/logs/evaluate_external/{dataset}/{experiment}/{model}/fold-{fold}.log",
    benchmark:
        "results/benchmarks/evaluate_external/{dataset}/{experiment}/{model}/fold-{fold}.tsv"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=memory(500, evaluation_size, 110),
        runtime=minutes(60, predictions_size, 0.1),
    params:
        options=evaluate_options,
        code=code("evaluate"),
    shell:
        "python -m pipeline_lib.stages.evaluate --slices {input.slices} --split {input.split}"
        " --external {input.external} --fold {wildcards.fold} --predictions {input.predictions}"
        " --output {output} --options {params.options:q} &> {log}"


rule evaluate_baselines_external:
    input:
        slices=experiment_slices,
        external=external_slices,
        split="results/split/{experiment}.csv",
    output:
        "results/evaluate_baselines_external/{dataset}/{experiment}/fold-{fold}.parquet",
    log:
        "results/logs/evaluate_baselines_external/{dataset}/{experiment}/fold-{fold}.log",
    benchmark:
        "results/benchmarks/evaluate_baselines_external/{dataset}/{experiment}/fold-{fold}.tsv"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=memory(500, baselines_size, 110),
        runtime=minutes(60, predictions_size, 0.1),
    params:
        options=evaluate_options,
        code=code("evaluate_baselines"),
    shell:
        "python -m pipeline_lib.stages.evaluate_baselines --slices {input.slices}"
        " --split {input.split} --external {input.external} --fold {wildcards.fold}"
        " --output {output} --options {params.options:q} &> {log}"


rule evaluation:
    input:
        parts=evaluation_parts(),
        maps=fitted_maps(),
        map_tables=of_simko("map_tissues"),
    output:
        metrics="results/evaluation/metrics.parquet",
        metrics_csv="results/evaluation/metrics.csv",
        summary="results/evaluation/summary.csv",
        external="results/evaluation/external.csv",
        generalisation="results/evaluation/generalisation.csv",
        comparisons="results/evaluation/comparisons.csv",
        tissues="results/evaluation/tissues.csv",
        maps="results/evaluation/maps.csv",
    log:
        "results/logs/evaluation.log",
    benchmark:
        "results/benchmarks/evaluation/evaluation.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        options=as_options(
            seed=CONFIGURATION["seed"],
            evaluate=CONFIGURATION["evaluate"],
            experiments={name: EXPERIMENTS[name]["models"] for name in EXPERIMENTS},
        ),
        code=code("evaluation"),
    shell:
        "python -m pipeline_lib.stages.evaluation --parts {input.parts} --maps {input.maps}"
        " --map-tables {input.map_tables} --output $(dirname {output.metrics})"
        " --options {params.options:q} &> {log}"
