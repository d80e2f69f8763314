"""The experiment of reports/paper on an accelerator: unattended, resumable, in pieces of a few minutes.

    python -m benchmarks.accelerator -o DIR [--device cuda:0] [--seconds 540]

Each call goes on where the last one ended and measures for at most SECONDS. It ends with exit code 75 while
something is left to measure (call it again), and with 0 when everything is: then DIR holds both profiles,
the predictor, its evaluation and the paper's table. The machine types are the device time-sliced and, where
its daemon exists, by MPS; with ``--device cpu``, core sets of the host. ``--table`` measures
nothing and makes predictor and table, on any host, from what DIR holds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from shutil import which
from typing import Any

from benchmarks import paper
from planner.degradation.table import read_table
from planner.measure.host import check_spec, this_host
from planner.measure.profile import prepare, profile
from planner.measure.progress import Progress
from planner.measure.runner import Runner
from planner.measure.spec import load_spec
from planner.measure.subject import HOGS, hog
from planner.writing import make_folder, write_atomically

AGAIN = 75  # EX_TEMPFAIL
MODELS = (
    *("mlp_wide", "mobilenet", "resnet18", "resnet50@8", "unet", "vit@8", "bert_mini", "bert_base"),
    *("gpt_decode", "lstm", "tcn", "dlrm@64"),
)
ON_CPU = ("mlp_small", "mlp_wide", "mobilenet", "resnet18", "bert_mini", "gpt_decode", "lstm", "tcn", "dlrm")
SLOTS = 3


def machine_types(device: str) -> list[dict[str, Any]]:
    """Return the machine types to measure; the first two are those of the paper's table."""
    cores = sorted(os.sched_getaffinity(0))
    if device == "cpu":
        return [
            {"name": "2-cores-own", "cores": cores[:2], "sharing": "own", "slots": SLOTS},
            {"name": "1-core-shared", "cores": cores[:1], "sharing": "shared", "slots": SLOTS},
        ]
    apart = cores[:: 2 if len(cores) > 2 * SLOTS else 1]  # two virtual cores can be threads of one
    own = {"cores": apart[: SLOTS + 1], "sharing": "own", "device": device, "slots": SLOTS}
    sliced = [{"name": "gpu-time-sliced", **own, "gpu_sharing": "time-sliced"}]
    if which("nvidia-cuda-mps-control"):
        return [*sliced, {"name": "gpu-mps", **own, "gpu_sharing": "mps"}]
    print("no MPS daemon on this host: time-slicing alone", file=sys.stderr)
    return sliced


def specs(asked: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Return the spec of the profile and that of the fresh runs."""
    every = machine_types(asked.device)
    types = [m for m in every if asked.types is None or m["name"] in asked.types]
    if not types:
        raise SystemExit(f"--types: none of {', '.join(m['name'] for m in every)}")
    models = asked.models or list(ON_CPU if asked.device == "cpu" else MODELS)
    window_s, repeats = asked.window, asked.repeats
    common: dict[str, Any] = {"version": 1, "models": [{"zoo": name} for name in models]}
    protocol = {"loop": "closed", "window_s": window_s, "warmup_s": 0.75 * window_s, "repeats": repeats}
    known = {
        **common,
        "machine_types": types,
        "protocol": {**protocol, "seed": 0},
        "sets": {"2": "all"},
        "features": not asked.no_features,
    }
    fresh = {
        "machine_types": types[:2],
        "protocol": {**protocol, "repeats": repeats + 1, "seed": 1},
        "sets": {"2": "all"},
        "features": False,
    }
    return {"known": known, "fresh": {**common, **fresh}}


def measure(spec_path: Path, table: Path, budget_s: float) -> bool:
    """Measure for at most ``budget_s`` seconds; return whether everything is measured."""
    spec, host = load_spec(spec_path), this_host()
    check_spec(spec, host)
    subjects = spec.subjects | {hog(r).name: hog(r) for r in HOGS}
    with Runner(subjects, spec.form.protocol, host.id) as runner, Progress() as progress:
        prepare(spec, progress)
        outcome = profile(spec, table, runner, host, progress=progress, budget_s=budget_s)
    print(f"{table}: {outcome.colocations} of {outcome.of} co-locations, {outcome.ended}", flush=True)
    if outcome.ended == "interrupted":
        raise SystemExit(130)
    return outcome.ended == "done"


def learn(folder: Path) -> None:
    """Train, evaluate, and make the paper's table."""
    known, planner = str(folder / "known.csv"), str(Path(sys.executable).with_name("planner"))
    subprocess.run([planner, "train", known, "-o", str(folder / "predictor")], check=True)
    subprocess.run([planner, "evaluate", known, "-o", str(folder / "evaluation")], check=True)
    types = [m["name"] for m in json.loads((folder / "fresh.json").read_text())["machine_types"]]
    print(paper.write(read_table(known), read_table(folder / "fresh.csv"), types, folder))


def arguments() -> argparse.ArgumentParser:
    """Return the command line."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument("-o", dest="output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--device", default="cuda:0", help="cuda:N, or cpu for core sets alone")
    parser.add_argument("--seconds", type=float, default=540, help="most seconds of this piece")
    parser.add_argument("--models", nargs="+", help="models of the zoo, NAME or NAME@BATCH")
    parser.add_argument("--types", nargs="+", help="of the machine types, only these")
    parser.add_argument("--no-features", action="store_true", help="do not measure features beside hogs")
    parser.add_argument("--window", type=float, default=0.4, help="seconds")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each pair; fresh: one more")
    parser.add_argument("--measure", action="store_true", help="leave predictor and table to a later --table")
    parser.add_argument("--table", action="store_true", help="measure nothing: predictor and table of DIR")
    return parser


def main() -> None:
    """Do the next piece."""
    asked = arguments().parse_args()
    if asked.table:
        return learn(asked.output)
    began = time.monotonic()
    make_folder(asked.output)
    for name, spec in specs(asked).items():
        path = asked.output / f"{name}.json"
        if not path.exists():
            write_atomically(path, json.dumps(spec, indent=1) + "\n")
        left = asked.seconds - (time.monotonic() - began)
        if left <= 0 or not measure(path, asked.output / f"{name}.csv", left):
            raise SystemExit(AGAIN)
    if not asked.measure:
        learn(asked.output)


if __name__ == "__main__":
    main()
