"""The commands that learn: a predictor from measurements, and how good it is beside simple methods."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planner.cli_options import AsJson

if TYPE_CHECKING:
    from planner.degradation.evaluation import Held
    from planner.degradation.features import Features
    from planner.degradation.network import Progress
    from planner.degradation.table import Table

app = typer.Typer()

TablePath = Annotated[
    Path, typer.Argument(metavar="FILE", help="Measurements, .csv or .parquet; its features beside it.")
]
Quantity = Annotated[str, typer.Option(help="What the degradations are of; said wherever they are shown.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Same measurements, same seed: same result.")]


@app.command("train")
def train_command(
    measurements: TablePath,
    output: Annotated[Path, typer.Option("-o", metavar="DIR", help="Folder to write the predictor into.")],
    seed: Seed = 0,
    members: Annotated[int, typer.Option(min=2, max=64, help="Networks in the ensemble.")] = 8,
    quantity: Quantity = "mean latency",
) -> None:
    """Train a predictor of degradation on measured pairs, all machine types at once.

    FILE is what `planner profile` writes, or any table with the columns machine_type, victim, aggressor and
    degradation. Features of the models are taken from NAME.features.csv beside NAME.csv, if it is there.
    Writes DIR/predictor.safetensors and DIR/predictor.json, and says how good it is on a fifth of the pairs
    that a second training had left out.

    \b
    planner train measured.csv -o models/cpu2
    planner train gavel/pairs.csv -o models/gavel --quantity "training throughput" --seed 7

    Exit codes: 0 done; 1 an internal failure; 2 bad usage or input; 130 interrupted, nothing written.
    """
    from dataclasses import replace

    from planner.degradation.features import features_of
    from planner.degradation.network import Config
    from planner.degradation.predictor import fit
    from planner.degradation.predictor_files import METADATA, WEIGHTS, check_folder, save
    from planner.degradation.table import read_table

    check_folder(output)
    table = read_table(measurements)
    features = features_of(table)
    config = replace(Config(), members=members)
    _about(table, features, quantity)
    predictor = fit(table.pairs, features, seed=seed, config=config, on_progress=_progress("training"))
    save(predictor, output, table, quantity)
    print(f"written to {output}: {WEIGHTS}, {METADATA}")
    _quick_check(table, features, seed)


def _about(table: Table, features: Features, quantity: str) -> None:
    """Print what there is to learn from."""
    from planner.degradation.table import LEAST_RUNS
    from planner.report.text import count, plain

    pairs = table.pairs
    one = [s for s in table.summaries if len(s.neighbours) == 1]
    many = sum(s.used >= LEAST_RUNS for s in one)
    resolved, left = sum(bool(s.resolved) for s in one), sum(s.runs - s.used for s in table.summaries)
    clipped = count(int(pairs.censored.sum()), "pair")
    learned = f"{count(len(pairs), 'directed pair')} of {count(len(table.models), 'model')}"
    lines = (
        f"{table.path}: degradation of {quantity}",
        f"  {count(len(table.rows), 'row')}, {learned}",
        f"  machine types: {', '.join(table.machine_types)}",
        f"  {count(many, 'pair')} with {LEAST_RUNS} runs or more, {resolved} resolved",
        f"  {count(left, 'run')} excluded by flags, {clipped} clipped to solo",
        f"  features: {', '.join(features.columns) or 'none'}",
    )
    print("\n".join(map(plain, lines)))


def _quick_check(table: Table, features: Features, seed: int) -> None:
    """Print how good such a predictor is on pairs that it has not seen."""
    from planner.degradation.evaluation import NETWORK, parts, predict_part, score
    from planner.report.text import plain

    pairs = table.pairs
    held = predict_part(pairs, features, parts(pairs, "pairs", seed)[0], NETWORK, seed)
    scores = score(pairs, held, "pairs", NETWORK)
    print("on a fifth of the pairs that a second training left out:")
    for s in scores:
        inside = "" if s.covered_95 is None else f", {100 * s.covered_95:.0f} % inside the 95 % interval"
        errors = f"mean absolute error {s.mae:.3f}, of the slowdown {100 * s.slowdown_error:.1f} %"
        print(plain(f"  {s.machine_type}: {errors}{inside} ({s.rows} rows)"))


@app.command("evaluate")
def evaluate_command(
    measurements: TablePath,
    output: Annotated[
        Path | None, typer.Option("-o", metavar="DIR", help="Folder for evaluation.csv, .json and the plots.")
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(help="rows, pairs, pairs-all, model, machine-type or all; may be given several times."),
    ] = None,
    seed: Seed = 0,
    quantity: Quantity = "mean latency",
    as_json: AsJson = False,
) -> None:
    """Compare the network with simple methods on pairs that none of them has seen.

    \b
    Splits, what is held out at a time:
      rows          a fifth of the rows (the other direction may be known)
      pairs         a fifth of the pairs of each machine type, both directions (default)
      pairs-all     a fifth of the pairs, on all machine types at once
      model         each model, with all that it was in (minutes)
      machine-type  each machine type

    Regret is what plans made from predictions cost, measured, over what the best plans cost: 1 is perfect.

    \b
    planner evaluate measured.csv
    planner evaluate gavel/pairs.csv --quantity "training throughput" --split rows -o reports/gavel
    planner evaluate measured.csv --split all --json > evaluation.json

    Exit codes: 0 done; 1 an internal failure; 2 bad usage or input; 130 interrupted.
    """
    from planner.degradation.evaluation import evaluate
    from planner.degradation.features import features_of
    from planner.degradation.scores import document, scores_csv, tables
    from planner.degradation.table import read_table
    from planner.plan_files import render
    from planner.report.text import show
    from planner.writing import make_folder, write_together

    table = read_table(measurements)
    splits = _splits(split, table)
    features = features_of(table)
    if output is not None:
        make_folder(output)
    scores, held = evaluate(table.pairs, features, splits, seed=seed, on_progress=_say)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    text = render(document(table, scores, seed, quantity))
    if output is not None:
        files = {output / "evaluation.csv": scores_csv(scores), output / "evaluation.json": text}
        write_together(files)
        _draw(table, held, output, quantity)
    if as_json:
        print(text, end="")
        return
    show(tables(scores, f"{table.path.name}: degradation of {quantity}"))
    if output is not None:
        print(f"written to {output}: evaluation.csv, evaluation.json and plots")


def _splits(wanted: list[str] | None, table: Table) -> list[str]:
    """Return the splits to make; ``all`` means those that the table is enough for."""
    from planner.degradation.evaluation import SPLITS, parts
    from planner.errors import InputError

    chosen = []
    for name in dict.fromkeys(wanted or ["pairs"]):
        for one in SPLITS if name == "all" else (name,):
            try:
                parts(table.pairs, one, 0)
                chosen.append(one)
            except InputError as error:
                if name != "all":
                    raise
                print(f"{one}: left out, {error.rule}", file=sys.stderr)
    return list(dict.fromkeys(chosen))


def _draw(table: Table, held: dict[str, dict[str, Held]], output: Path, quantity: str) -> None:
    """Write the plots of an evaluation."""
    from planner.degradation import plots
    from planner.degradation.evaluation import COMPARED, NETWORK

    pairs, of = table.pairs, f"degradation of {quantity}"
    figures = {"heat_map": plots.heat_map(pairs, pairs.degradation, f"Measured {of}")}
    for split, methods in held.items():
        network = methods[NETWORK]
        title = f"Network, held out: {split}; {of}"
        figures[f"predicted_{split}"] = plots.predicted_against_measured(pairs, network, title)
        chosen = {name: methods[name] for name in COMPARED}
        figures[f"error_{split}"] = plots.error_by_model(pairs, chosen, f"Held out: {split}; {of}")
    plots.save(figures, output)


def _progress(what: str) -> Progress:
    """Return what shows steps on stderr: on a terminal as they come, else at the end."""
    terminal = sys.stderr.isatty()

    def show(step: int, steps: int) -> None:
        if terminal and (step % 10 == 0 or step == steps):
            print(
                f"\r{what}: step {step} of {steps}",
                end="\n" if step == steps else "",
                file=sys.stderr,
                flush=True,
            )
        elif step == steps:
            print(f"{what}: {steps} steps", file=sys.stderr, flush=True)

    return show


def _say(split: str, method: str, part: int, parts: int) -> None:
    """Show which method is at work: on a terminal on one line that changes, else a line for each."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{split}: {method}, {part} of {parts}", end="", file=sys.stderr, flush=True)
    elif part == 1:
        print(f"{split}: {method}", file=sys.stderr, flush=True)
