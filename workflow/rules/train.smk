# One job a model and fold. The checkpoints lie beside the results, not among the outputs:
# Snakemake removes the outputs of a job that failed, and a killed training goes on from them.


rule train:
    input:
        slices=experiment_slices,
        split="results/split/{experiment}.csv",
        unpaired="results/unpair/{experiment}.csv",
    output:
        directory("results/train/{experiment}/{model}/fold-{fold}"),
    log:
        "results/logs/train/{experiment}/{model}/fold-{fold}.log",
    benchmark:
        "results/benchmarks/train/{experiment}/{model}/fold-{fold}.tsv"
    conda:
        "../../envs/training.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=memory(16000),
        runtime=1440,
    params:
        stage=training_stage,
        options=train_options,
        code=training_code,
    # The log goes to the terminal too: a training of days shows how it goes.
    shell:
        "python -m pipeline_lib.stages.{params.stage} --slices {input.slices}"
        " --split {input.split} --unpaired {input.unpaired} --fold {wildcards.fold}"
        " --checkpoints results/checkpoints/{wildcards.experiment}/{wildcards.model}"
        "/fold-{wildcards.fold} --output {output} --code {params.code}"
        " --options {params.options:q} 2>&1 | tee {log}"


rule predict:
    input:
        slices=experiment_slices,
        split="results/split/{experiment}.csv",
        model="results/train/{experiment}/{model}/fold-{fold}",
    output:
        directory("results/predict/{experiment}/{model}/fold-{fold}"),
    log:
        "results/logs/predict/{experiment}/{model}/fold-{fold}.log",
    benchmark:
        "results/benchmarks/predict/{experiment}/{model}/fold-{fold}.tsv"
    conda:
        "../../envs/training.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=memory(8000),
        runtime=60,
    params:
        options=as_options(),
        code=code("predict"),
    shell:
        "python -m pipeline_lib.stages.predict --slices {input.slices} --split {input.split}"
        " --fold {wildcards.fold} --model {input.model} --output {output}"
        " --options {params.options:q} &> {log}"
