# One job a model and fold. The checkpoints lie beside the results, not among the outputs:
# Snakemake removes the outputs of a job that failed, and a killed training goes on from them.


rule train:
    input:
        slices=experiment_slices,
        # Made again for other `seen` patients it trains as before; the params tell all else of it.
        split=ancient("results/split/{experiment}.csv"),
        unpaired=unpaired_draws,
    output:
        directory("results/train/{experiment}/{model}/fold-{fold}"),
    log:
        "results/logs/train/{experiment}/{model}/fold-{fold}.log",
    benchmark:
        "results/benchmarks/train/{experiment}/{model}/fold-{fold}.tsv"
    conda:
        "../../envs/training.yaml"
    threads: lambda wildcards: model_of(wildcards)["threads"]
    resources:
        gpu=gpus_of,
        mem_mb=training_memory,
        # A day. What is not done then goes on from its checkpoint: in a retry, or the next run.
        runtime=1440,
        workers=workers_of,
        checkpoint_seconds=checkpoint_seconds_of,
    params:
        stage=training_stage,
        split=training_split,
        split_code=code("split"),
        unpaired=named("--unpaired", unpaired_draws),
        options=train_options,
        code=training_code,
    # The log goes to the terminal too: a training of days shows how it goes. A scheduler's SIGTERM
    # reaches every process: shell and tee outlive it, until Python has written its checkpoint.
    shell:
        "trap : TERM; "
        "run=python; gpus={resources.gpu}; [ $gpus != 0 ] || export CUDA_VISIBLE_DEVICES=; "
        '[ $gpus -lt 2 ] || {{ run="torchrun --standalone --nproc-per-node $gpus"; '
        "export OMP_NUM_THREADS=$(( {threads} > gpus ? {threads} / gpus : 1 )); }}; "
        "$run -m pipeline_lib.stages.{params.stage} --slices {input.slices}"
        " --split {input.split} {params.unpaired} --fold {wildcards.fold}"
        " --workers {resources.workers} --checkpoint-seconds {resources.checkpoint_seconds}"
        " --checkpoints results/checkpoints/{wildcards.experiment}/{wildcards.model}"
        "/fold-{wildcards.fold} --output {output} --code {params.code}"
        " --options {params.options:q} 2>&1 | (trap '' TERM INT; exec tee {log})"


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
    threads: lambda wildcards: model_of(wildcards)["threads"]
    resources:
        gpu=one_gpu,
        mem_mb=memory(3000, prediction_size, 10),
        runtime=minutes(60, predictions_size, 0.25),
    params:
        options=as_options(),
        code=code("predict"),
    shell:
        "[ {resources.gpu} != 0 ] || export CUDA_VISIBLE_DEVICES=; "
        "python -m pipeline_lib.stages.predict --slices {input.slices} --split {input.split}"
        " --fold {wildcards.fold} --model {input.model} --output {output}"
        " --options {params.options:q} &> {log}"


# The models on the patients of another dataset, who are in no split.
rule predict_external:
    input:
        slices=experiment_slices,
        external=external_slices,
        split="results/split/{experiment}.csv",
        model="results/train/{experiment}/{model}/fold-{fold}",
    output:
        directory("results/predict_external/{dataset}/{experiment}/{model}/fold-{fold}"),
    log:
        "results/logs/predict_external/{dataset}/{experiment}/{model}/fold-{fold}.log",
    benchmark:
        "results/benchmarks/predict_external/{dataset}/{experiment}/{model}/fold-{fold}.tsv"
    conda:
        "../../envs/training.yaml"
    threads: lambda wildcards: model_of(wildcards)["threads"]
    resources:
        gpu=one_gpu,
        mem_mb=memory(3000, prediction_size, 10),
        runtime=minutes(60, predictions_size, 0.25),
    params:
        options=lambda wildcards: as_options(
            pairs=pairs_on(wildcards.experiment, wildcards.dataset)
        ),
        code=code("predict"),
    shell:
        "[ {resources.gpu} != 0 ] || export CUDA_VISIBLE_DEVICES=; "
        "python -m pipeline_lib.stages.predict --slices {input.slices} --split {input.split}"
        " --external {input.external} --fold {wildcards.fold} --model {input.model}"
        " --output {output} --options {params.options:q} &> {log}"


# Which contrast the discriminator of Simko et al. takes images of other echo and repetition times for.
rule decide:
    input:
        slices=experiment_slices,
        split="results/split/{experiment}.csv",
        model="results/train/{experiment}/{model}/fold-{fold}",
        truth=experiment_truth,
    output:
        "results/decide/{experiment}/{model}/fold-{fold}.csv",
    log:
        "results/logs/decide/{experiment}/{model}/fold-{fold}.log",
    benchmark:
        "results/benchmarks/decide/{experiment}/{model}/fold-{fold}.tsv"
    conda:
        "../../envs/training.yaml"
    threads: lambda wildcards: model_of(wildcards)["threads"]
    resources:
        gpu=one_gpu,
        mem_mb=memory(3000, store_size, 20),
        runtime=minutes(60, predictions_size, 0.25),
    params:
        truth=named("--truth", experiment_truth),
        options=decide_options,
        code=code("decide"),
    shell:
        "[ {resources.gpu} != 0 ] || export CUDA_VISIBLE_DEVICES=; "
        "python -m pipeline_lib.stages.decide --slices {input.slices} --split {input.split}"
        " --fold {wildcards.fold} --model {input.model} {params.truth} --output {output}"
        " --options {params.options:q} &> {log}"
