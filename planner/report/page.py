"""The page of a report: what it says is worked out here, and the template lays it out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from planner.report import answers, chapters
from planner.report.blocks import Block, Cell, Chapter, Drawn, Page, Table
from planner.report.cases import Case
from planner.report.drawing import palette, svg
from planner.report.drawing.png import png
from planner.report.figures.figure import WIDE, Figure
from planner.report.figures.measured import measured
from planner.report.figures.profile import profile_figure
from planner.report.forms import Between, EvaluationFile, ValidationFile
from planner.report.inputs import Results
from planner.report.profiles import GAP_SHIFT, LEAST_TIME, TIME_SHIFT, Many
from planner.report.promises import promises
from planner.report.text import count, milliseconds, number, percent, slowdown

_CHAPTERS = 3
_MODELS = 14
_SCORES = 80


def page_of(cases: list[Case], results: Results, made_by: str) -> Page:
    """Return what the page says."""
    single = len(cases) == 1
    order = sorted(cases, key=lambda case: not any(e.given for e in case.entries))
    shown = [case for case in order if case.main.form is not None][:_CHAPTERS]
    found = []
    for i, case in enumerate(shown, start=1):
        name = case.label if single else f"{i} {case.label}"
        head = None if single else answers.answer(case)
        found.append(Chapter(case.label, list(chapters.blocks(case, name)), head))
    names = [case.label for case in cases] or [path.parent.name for path, _ in results.validations]
    title = names[0] if len(names) == 1 else f"{count(len(cases), 'instance')}" if cases else "Report"
    paths = [p.path for p in results.plans] + [r.path for r in results.rows]
    paths += [path for path, _ in (*results.validations, *results.evaluations)]
    return Page(
        title=title,
        answer=answers.answer(cases[0]) if single else None,
        overview=answers.overview(cases) if len(cases) > 1 else None,
        chapters=found,
        blocks=list(_common(cases, results, len(shown))),
        made_by=made_by,
        sources=list(dict.fromkeys(map(str, paths))),
    )


def _common(cases: list[Case], results: Results, shown: int) -> Iterator[Block]:
    if block := promises(cases):
        yield block
    many = Many.of(cases)
    if many is not None:
        yield _many(many)
    if table := chapters.comparison(cases):
        intro = "The bound of any solver holds for all. Checked: the rules and the objective, by the checker."
        rest = sum(case.main.form is not None for case in cases) - shown
        if rest:
            intro += (
                f" Figures of {count(rest, 'more instance')} are left out; name its plan file to see them."
            )
        yield Block("comparison", "Comparison", intro, table=table)
    for i, (path, validation) in enumerate(results.validations, start=1):
        yield from _validation(path, validation, i if len(results.validations) > 1 else 0)
    for path, evaluation in results.evaluations:
        yield _evaluation(path, evaluation)


def _many(many: Many) -> Block:
    objectives = profile_figure(
        "profile-objective",
        "Objective within a factor of the best",
        many.objectives(),
        "Performance profile (Dolan and Moré, 2002): the share of instances on which a solver's plan is at "
        "most that factor worse than the best.",
    )
    times = profile_figure(
        "profile-time",
        "Time to a proven optimum within a factor of the fastest",
        many.times(),
        f"Solvers with a proof, instances with one; below {LEAST_TIME:g} s counts as {LEAST_TIME:g} s.",
    )
    rows = [
        [
            Cell(a.solver, name=True, strong=True),
            Cell(f"{a.seconds:,.2f}", data={"mean-seconds": f"{a.seconds:.9f}"}),
            Cell(percent(a.gap), data={"mean-gap": f"{a.gap:.9f}"}),
            *(Cell(f"{n} of {many.instances}") for n in (a.plans, a.proofs, a.best)),
        ]
        for a in many.averages()
    ]
    left_out = f" Not run on every instance: {', '.join(many.left_out)}." if many.left_out else ""
    note = (
        f"Shifted geometric means (Achterberg, 2007): of the runtime, shift {TIME_SHIFT:g} s; of the gap to "
        f"the best bound known, shift {100 * GAP_SHIFT:g} %, no plan or no bound counting as 100 %.{left_out}"
    )
    table = Table(
        ("solver", "mean time s", "mean gap", "plans", "proven optimal", "best plan"), rows, note=note
    )
    drawn = [Drawn(figure, figure.title) for figure in (objectives, times) if figure is not None]
    heading = f"Over {count(many.instances, 'instance')}"
    return Block("profiles", heading, figures=drawn, pairs=len(drawn) > 1, table=table)


def _between(i: Between) -> str:
    return f"{i.value:.3f} [{i.lower:.3f}, {i.upper:.3f}]"


def _validation(path: Path, found: ValidationFile, number_of: int) -> Iterator[Block]:
    of = f" ({path.parent.name})" if number_of else ""
    intro = "Cumulative degradation of the replicas whose patterns were measured, with 95 % intervals. "
    if found.control is not None:
        intro += f"The first plan against itself (A/A): {_between(found.control)}; it should contain 1. "
    if found.excluded:
        intro += (
            f"{count(found.excluded, 'measurement')} do not count: unstable, disturbed, or a process died. "
        )
    if not found.victims:
        intro += "Nothing was measured that counts."
    rows = [
        [
            Cell(p.name, name=True, strong=True),
            Cell(f"{p.covered:,} of {p.replicas - p.alone:,}"),
            Cell(f"{p.predicted:.3f}"),
            Cell(_between(p.measured), data={"measured": f"{p.measured.value}"}),
            Cell("-" if p.ratio is None else _between(p.ratio)),
        ]
        for p in found.plans
    ]
    columns = ("plan", "replicas measured", "predicted sum", "measured sum", "first plan / this")
    yield Block("measured", f"Measured against predicted{of}", intro, table=Table(columns, rows))
    figure = measured(found, f"validation {number_of or ''}")
    if figure is not None:
        models = _measured_models(found)
        yield Block(
            "measured-models", f"Measured models{of}", figures=[Drawn(figure)], pairs=True, table=models
        )


def _measured_models(found: ValidationFile) -> Table:
    every = [(p, m) for p in found.plans for m in p.models]
    every.sort(key=lambda item: -abs(item[1].measured - item[1].predicted))
    rows = [
        [
            Cell(m.model, name=True, strong=True),
            Cell(p.name, name=True),
            Cell(slowdown(m.predicted)),
            Cell(slowdown(m.measured)),
            Cell(f"{milliseconds(m.latency_ms)} / {milliseconds(m.slo_ms)}"),
            Cell(f"{m.missed:,} of {m.replicas:,}", "bad" if m.missed else ""),
        ]
        for p, m in every[:_MODELS]
    ]
    more = f" {_MODELS} of {len(every):,}." if len(every) > _MODELS else ""
    columns = ("model", "plan", "predicted", "measured", "latency / SLO ms", "over")
    return Table(columns, rows, left=2, note=f"Means over replicas, the furthest off first.{more}")


def _evaluation(path: Path, found: EvaluationFile) -> Block:
    best: dict[tuple[str, str], float] = {}
    for s in found.scores:
        key = (s.split, s.machine_type)
        best[key] = min(best.get(key, s.mae), s.mae)
    order = {key: i for i, key in enumerate(best)}
    scores = sorted(found.scores, key=lambda s: (order[s.split, s.machine_type], s.mae))
    rows = [
        [
            Cell(s.machine_type, name=True),
            Cell(s.split, name=True),
            Cell(s.method, name=True, strong=s.mae == best[s.split, s.machine_type]),
            Cell(f"{s.mae:.3f}", strong=s.mae == best[s.split, s.machine_type], data={"mae": f"{s.mae}"}),
            Cell(f"{100 * s.slowdown_error:.1f} %"),
            Cell("-" if s.spearman is None else f"{s.spearman:.3f}"),
            Cell(number(s.regret, 3)),
            Cell("-" if s.covered_95 is None else f"{100 * s.covered_95:.0f} %"),
        ]
        for s in scores[:_SCORES]
    ]
    columns = (
        "machine type",
        "held out",
        "method",
        "MAE",
        "slowdown error",
        "rank corr.",
        "regret",
        "95 % covers",
    )
    intro = (
        f"Degradation of {found.quantity} on pairs that no method has seen, {count(found.pairs, 'pair')} of "
    )
    intro += (
        f"{found.table}. MAE: mean absolute error of the degradation, the least first; regret: the measured "
    )
    intro += "cost of plans made from predictions over that of the best plans."
    note = f"{count(len(scores) - _SCORES, 'more row')} not shown." if len(scores) > _SCORES else ""
    return Block("predictor", f"Predictor ({path.parent.name})", intro, table=Table(columns, rows, 3, note))


def render(page: Page) -> str:
    """Return the page as one HTML document that needs nothing else."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("planner.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def drawing(figure: Figure, kind: str) -> Markup:
        what = figure.wide if kind == "wide" else figure.narrow
        half = " half" if kind == "wide" and what.width < WIDE else ""
        return Markup(svg.inline(what, figure.title, kind=kind + half))

    template = environment.get_template("page.html.j2")
    return template.render(
        page=page, drawing=drawing, colours=Markup(palette.style()), scale=palette.legend()
    )


def figure_files(figures: Sequence[Figure], folder: Path) -> dict[Path, str | bytes]:
    """Return the files of every figure: an SVG, a PNG and its data as CSV."""
    files: dict[Path, str | bytes] = {}
    for figure in figures:
        framed = figure.framed()
        files[folder / f"{figure.name}.svg"] = svg.document(framed, figure.title)
        files[folder / f"{figure.name}.png"] = png(framed)
        files[folder / f"{figure.name}.csv"] = figure.csv()
    return files
