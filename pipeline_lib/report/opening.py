"""The opening of the page: which system wins where, and how sure that is, in one table."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipeline_lib.report.collect import Evaluated
from pipeline_lib.report.comparisons import NO_P, compare
from pipeline_lib.report.numbers import number, p_value, signed
from pipeline_lib.report.request import Experiment
from pipeline_lib.report.tables import Cell, Table, pooled, score_cell
from pipeline_lib.report.verdict import (
    FEW_PATIENTS,
    Score,
    better_in,
    is_better,
    metric_of,
    per_patient,
    scores,
    u_net_of,
    winner,
)

METRIC = "nrmse"
TABLE = "look_up_table"


def honest_first(experiments: Sequence[Experiment]) -> list[Experiment]:
    """Order experiments so that those with a leaked split come last."""
    return sorted(experiments, key=lambda experiment: experiment.leaked is not None)


def wins_table(
    experiments: Sequence[Experiment], tables: Evaluated, systems: Mapping[str, str]
) -> Table | None:
    """Experiments by their best learned system, the references, and what sets them apart.

    Parameters
    ----------
    systems
        Model -> the system that it is.
    """
    if not experiments:
        return None
    names = [experiment.name for experiment in experiments]
    rows = tables.summary[
        tables.summary["experiment"].isin(names) & (tables.summary["metric"] == METRIC)
    ]
    parts = [pooled(experiment, rows) for experiment in experiments]
    csv = "".join(part.to_csv(index=False, header=not at) for at, part in enumerate(parts))
    return Table(
        name="which-system-wins-where",
        caption=(
            "NRMSE over the body on held-out patients, lower is better: means, of the best learned "
            "system with SD and 95 % interval. "
            "In each row, ★ is the best of the learned systems and baselines shown."
        ),
        columns=(
            "Experiment", "Best learned system", "Better than the look-up table?",
            "Look-up table", "Nearest training image", "U-Net", "Patients",
        ),
        rows=tuple(
            _row(experiment, tables, systems) for experiment in honest_first(experiments)
        ),
        csv=csv,
    )  # fmt: skip


def _row(experiment: Experiment, tables: Evaluated, systems: Mapping[str, str]) -> tuple[Cell, ...]:
    found = scores(tables.summary, experiment.name, METRIC)
    best = winner(found, METRIC, experiment.models)
    u_net = u_net_of(experiment.models, systems)
    rivals = [name for name in (TABLE, "nearest_copy") if name in found]
    # A leaked experiment has no winner: its numbers say nothing of a new patient.
    ranked = [] if experiment.leaked else [*([best] if best else []), *rivals]
    first = winner(found, METRIC, ranked)
    named = Cell(
        experiment.name,
        experiment.name,
        detail=f"{experiment.dataset.name}: {experiment.pair_words}",
        tag="leaked split: not evidence of generalisation" if experiment.leaked else "",
        href=f"#experiment-{experiment.name}",
    )
    n = max((score.n for score in found.values()), default=0)
    ours = Cell("–", None)
    if best:
        cell = score_cell(found[best], METRIC, best=first == best)
        ours = Cell(best, cell.sort, f"{cell.text} {cell.detail}".strip(), best=cell.best)
    others = [_brief_cell(found.get(name), best=first == name) for name in rivals]
    by_name = dict(zip(rivals, others, strict=True))
    return (
        named,
        ours,
        _against_table(experiment, tables, best),
        by_name.get(TABLE, Cell("–", None)),
        by_name.get("nearest_copy", Cell("–", None)),
        _brief_cell(found.get(u_net) if u_net else None),
        Cell(str(n), n),
    )


def _brief_cell(score: Score | None, best: bool = False) -> Cell:
    """Give a cell of the mean alone, of a system that is there for comparison."""
    cell = score_cell(score, METRIC, best)
    text = number(score.mean, metric_of(METRIC).digits) if score else cell.text
    return replace(cell, text=text, detail="")


def _against_table(experiment: Experiment, tables: Evaluated, best: str | None) -> Cell:
    found = scores(tables.summary, experiment.name, METRIC)
    if best is None or TABLE not in found:
        return Cell("–", None)
    ours, theirs = found[best].mean, found[TABLE].mean
    patients = per_patient(tables.tested, experiment.name, METRIC)
    wins, n = better_in(patients, METRIC, best, TABLE)
    made = compare(tables.comparisons, experiment.name, METRIC, best, TABLE)
    by = signed(ours - theirs, metric_of(METRIC).digits)
    how_sure = [made.interval(METRIC) if made else by]
    if n:
        how_sure.append(f"better in {wins} of {n}")
    if made and made.p_holm is not None:
        how_sure.append(f"{p_value(made.p_holm)} after Holm")
    elif 0 < n < FEW_PATIENTS:
        how_sure.append(NO_P)
    verdict = "no"
    if experiment.leaked:
        verdict = "not counted"
    elif is_better(METRIC, ours, theirs):
        verdict = "yes" if made and made.sure else "yes, in the mean"
    return Cell(verdict, ours - theirs, "; ".join(how_sure))


def lead(experiments: Sequence[Experiment], tables: Evaluated) -> list[str]:
    """Say how often a learned system beats the look-up table, and which wins how often.

    Leaked experiments are named, and not counted.

    Returns
    -------
        Sentences; none where nothing was evaluated.
    """
    wins: dict[str, int] = {}
    beaten, sure = 0, 0
    for experiment in experiments:
        found = scores(tables.summary, experiment.name, METRIC)
        best = winner(found, METRIC, experiment.models)
        if experiment.leaked or best is None:
            continue
        wins[best] = wins.get(best, 0) + 1
        if TABLE in found and is_better(METRIC, found[best].mean, found[TABLE].mean):
            beaten += 1
            made = compare(tables.comparisons, experiment.name, METRIC, best, TABLE)
            sure += made is not None and made.sure
    honest = sum(wins.values())
    said = []
    if honest:
        ordered = sorted(wins.items(), key=lambda item: -item[1])
        many = "" if honest == 1 else "s"
        said = [
            f"In {beaten} of {honest} experiment{many} the best learned system has a lower mean "
            "NRMSE than a look-up table from grey value to grey value; a paired test confirms it "
            f"in {sure or 'none'}.",
            "Lowest mean NRMSE of the learned systems: "
            + ", ".join(f"{model} in {count}" for model, count in ordered)
            + f" of {honest} experiment{many}.",
        ]
    leaked = [experiment.name for experiment in experiments if experiment.leaked]
    if leaked:
        said.append(
            f"Not counted, because their split is leaked: {', '.join(leaked)}. They repeat what a "
            "paper did and are no evidence of generalisation."
        )
    return said
