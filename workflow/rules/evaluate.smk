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
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=60,
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
    output:
        "results/evaluate_baselines/{experiment}/fold-{fold}.parquet",
    log:
        "results/logs/evaluate_baselines/{experiment}/fold-{fold}.log",
    benchmark:
        "results/benchmarks/evaluate_baselines/{experiment}/fold-{fold}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=60,
    params:
        options=evaluate_options,
        code=code("evaluate_baselines"),
    shell:
        "python -m pipeline_lib.stages.evaluate_baselines --slices {input.slices}"
        " --split {input.split} --fold {wildcards.fold} --output {output}"
        " --options {params.options:q} &> {log}"


rule evaluation:
    input:
        parts=evaluation_parts(),
        maps=fitted_maps(),
    output:
        metrics="results/evaluation/metrics.parquet",
        metrics_csv="results/evaluation/metrics.csv",
        summary="results/evaluation/summary.csv",
        tissues="results/evaluation/tissues.csv",
    log:
        "results/logs/evaluation.log",
    benchmark:
        "results/benchmarks/evaluation/evaluation.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        options=as_options(seed=CONFIGURATION["seed"], evaluate=CONFIGURATION["evaluate"]),
        code=code("evaluation"),
    shell:
        "python -m pipeline_lib.stages.evaluation --parts {input.parts} --maps {input.maps}"
        " --output results/evaluation --options {params.options:q} &> {log}"
