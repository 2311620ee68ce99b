"""Simko et al., Figures 3 and 6: what the discriminator decides, and how the two networks play."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from pipeline_lib.report.collect import Training
from pipeline_lib.report.curves import thin
from pipeline_lib.report.figures import Line, line_chart
from pipeline_lib.report.numbers import number
from pipeline_lib.report.papers.chapter import PaperFigure, PaperPart
from pipeline_lib.report.papers.charts import Shares, share_chart
from pipeline_lib.report.papers.measured import Material
from pipeline_lib.report.request import Experiment

GENERATED = "generated"
# Sweep -> the time that it holds.
SWEEPS = {"tr": "te", "te": "tr"}
IMAGES = {"acquired": "acquired images", GENERATED: "images made by the generator"}
ACCURACIES = {
    "d_real_accuracy": "acquired images told as their contrast",
    "d_fake_accuracy": "generated images told as such (D fake accuracy)",
    "gan_accuracy": "generated images taken for their contrast (GAN accuracy)",
}


def boundaries(material: Material, experiment: Experiment) -> PaperPart:
    """Give Figure 3: the discriminator's classes over TR and over TE."""
    heading = "Figure 3: decision boundaries of the discriminator"
    training = _training_times(material, experiment)
    figures: list[PaperFigure] = []
    said: list[str] = []
    for model in experiment.models:
        decisions = material.results.decisions(experiment, model)
        if decisions.empty:
            continue
        figures += _boundary_figures(decisions, training, experiment, model)
        right = _told_right(decisions, training)
        if right is not None:
            said.append(
                f"{model} tells {number(100 * right, 0)} % of acquired images at the training's "
                "contrasts as their own."
            )
    if not figures:
        return PaperPart(heading, "No decisions of a discriminator were found for this run.")
    text = (
        f"{' '.join(said)} Over what share of the test patients' images each class has, mean of "
        "the softmax over patches (of the regressing discriminator: over images, each of the class "
        "nearest to its answer): acquired images, which of simulated patients there are at every "
        "TE and TR and of others at the training's contrasts alone, and images that the generator "
        "made. Dotted lines are the training's contrasts. The paper shows the likeliest class and "
        "prints no numbers: its five classes are distinct in acquired images, and pass smoothly "
        "into each other in generated ones."
    )
    return PaperPart(heading, text, figures=tuple(figures))


def _training_times(material: Material, experiment: Experiment) -> pd.DataFrame:
    """TE and TR in seconds of each contrast (the index), medians over sessions."""
    sequences = material.results.sequences(experiment.dataset)
    times = sequences.set_index("contrast")[["te", "tr"]].astype(float)
    return times.groupby(level=0).median()


def _boundary_figures(
    decisions: pd.DataFrame, training: pd.DataFrame, experiment: Experiment, model: str
) -> Iterator[PaperFigure]:
    present = set(decisions["class"])
    classes = [name for name in (*experiment.dataset.contrasts, GENERATED) if name in present]
    for moved, held in SWEEPS.items():
        of_sweep = decisions[decisions["sweep"] == moved]
        for images, named in IMAGES.items():
            rows = of_sweep[of_sweep["images"] == images]
            if rows.empty:
                continue
            fixed = float(rows[held].iloc[0])
            marks = sorted(set(training.loc[np.isclose(training[held], fixed), moved]))
            shares = rows.pivot_table(
                index=moved, columns="class", values="share", aggfunc="mean"
            ).sort_index()
            made = Shares(
                shares.index.to_numpy(float),
                {name: shares[name].fillna(0).to_numpy() for name in classes if name in shares},
                marks,
                continuous=len(shares) > len(marks),
            )
            label = f"{moved.upper()} (s), {held.upper()} {1000 * fixed:g} ms"
            text = f"Shares of classes of {named}, {model}, over {label}: {_likeliest(made)}"
            key = f"paper-simko2021-figure-3-{experiment.name}-{model}-{images}-{moved}"
            chart = share_chart(made, GENERATED, label, text, key)
            yield PaperFigure(chart, f"{model}, {named}, over {label}", text)


def _likeliest(made: Shares) -> str:
    """Say the likeliest class at both ends of a sweep."""
    names = list(made.shares)
    best = np.argmax(np.array(list(made.shares.values())), axis=0)
    return f"{names[best[0]]} at {made.x[0]:g} s, {names[best[-1]]} at {made.x[-1]:g} s."


def _told_right(decisions: pd.DataFrame, training: pd.DataFrame) -> float | None:
    """Share of what is shown of acquired images whose likeliest class is its own contrast."""
    acquired = decisions[decisions["images"] == "acquired"]
    shares = []
    for contrast, times in training.iterrows():
        own = acquired[
            (acquired["class"] == contrast)
            & np.isclose(acquired["te"].to_numpy(float), times["te"])
            & np.isclose(acquired["tr"].to_numpy(float), times["tr"])
        ]
        if not own.empty:
            shares.append(own["chosen"].mean())
    return float(np.mean(shares)) if shares else None


def accuracies(material: Material, experiment: Experiment) -> PaperPart:
    """Give Figure 6: the accuracies of both networks during the training."""
    heading = "Figure 6: accuracies of both networks during the training"
    by_model: dict[str, list[Training]] = {}
    for training in material.results.trainings(experiment):
        if training.losses["name"].isin(ACCURACIES).any():
            by_model.setdefault(training.run.model, []).append(training)
    if not by_model:
        return PaperPart(heading, "No training of this run left accuracies of a discriminator.")
    figures, in_steps = [], []
    for model, trainings in by_model.items():
        figure, epochs = _accuracy_figure(material, experiment, model, trainings)
        figures.append(figure)
        if not epochs:
            in_steps.append(model)
    text = (
        "Each fold is a line. In the paper neither network wins: GAN accuracy falls in time but "
        "never stays at zero. An epoch is as many steps as show every slice of every contrast of "
        "the training patients once."
    )
    if in_steps:
        text += (
            f" The slices of the training patients are not at hand for {', '.join(in_steps)}, "
            "so that the axis is steps instead of epochs."
        )
    return PaperPart(heading, text, figures=tuple(figures))


def _accuracy_figure(
    material: Material, experiment: Experiment, model: str, trainings: list[Training]
) -> tuple[PaperFigure, bool]:
    """Draw the accuracies of one model, and tell whether over epochs."""
    lengths = [epoch_length(material, experiment, training) for training in trainings]
    epochs = all(lengths)
    lines, ends = [], []
    for training, length in zip(trainings, lengths, strict=True):
        for series, name in enumerate(ACCURACIES):
            rows = training.losses[training.losses["name"] == name]
            if not rows.empty:
                line = thin(rows)
                x = line["step"].to_numpy(float) / (length if epochs and length else 1.0)
                lines.append(Line(x, line["value"].to_numpy(float), series, name))
                ends.append(f"{name} ends at {line['value'].iloc[-1]:.2f}")
    axis = "epoch" if epochs else "step"
    alt = f"Line chart of the accuracies of {model} over the {axis}: {', '.join(ends)}."
    chart = line_chart(
        lines, axis, "accuracy", alt, f"paper-simko2021-figure-6-{experiment.name}-{model}",
        share=True,
    )  # fmt: skip
    words = "; ".join(f"{name}: {meaning}" for name, meaning in ACCURACIES.items())
    return PaperFigure(chart, f"{model}. {words}.", alt), epochs


def epoch_length(material: Material, experiment: Experiment, training: Training) -> float | None:
    """Count the steps of an epoch: images of the training patients over the size of a batch.

    An image is a slice in one contrast, as the training shows it (the paper's 33,750 are 90
    patients x 75 slices x 5 contrasts).

    Returns
    -------
        None where the card doesn't tell, or the slices of a patient are not there.
    """
    card = training.card
    patients = card.get("patients", {}).get("train", [])
    batch = card.get("settings", {}).get("batch_size")
    contrasts = len(card.get("contrasts", {})) - len(card.get("unseen", []))
    if not batch or contrasts < 1 or not patients:
        return None
    count = 0
    for patient in patients:
        slices = material.results.slices(experiment.dataset, patient)
        if slices is None:
            return None
        count += len(slices.indices)
    return count * contrasts / batch
