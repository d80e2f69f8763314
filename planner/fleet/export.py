"""Which formats a plan can be exported to, and what files each of them is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from planner.errors import InputError
from planner.fleet.kubernetes import deployments_yaml
from planner.fleet.layout import Layout
from planner.fleet.node_script import label_nodes
from planner.fleet.notes import kubernetes_notes, ray_serve_notes, triton_notes
from planner.fleet.ray_serve import ray_start, serve_config
from planner.fleet.requests import Requests, is_bytes, requests
from planner.fleet.table import index_csv, plan_csv
from planner.fleet.triton import repositories
from planner.writing import check_new_folder, check_writable, write_atomically, write_folder

IMAGE = "image-not-set.invalid/{model}"
IMPORT_PATH = "import_path_not_set.{model}:app"


@dataclass(frozen=True)
class Options:
    """What an export takes beside the plan: see the options of ``planner export``."""

    image: str = IMAGE
    import_path: str = IMPORT_PATH
    resources: Sequence[str] = ()


def _kubernetes(plan: Layout, options: Options, asked: Requests) -> dict[str, str]:
    return {
        "deployments.yaml": deployments_yaml(plan, asked, options.image),
        "label_nodes.sh": label_nodes(plan),
        "plan.csv": index_csv(plan),
        "README.md": kubernetes_notes(plan, _requested(asked), _image(options)),
    }


def _ray_serve(plan: Layout, options: Options, asked: Requests) -> dict[str, str]:
    return {
        "serve.yaml": serve_config(plan, asked, options.import_path),
        "ray_start.sh": ray_start(plan),
        "plan.csv": index_csv(plan),
        "README.md": ray_serve_notes(plan, _requested(asked), _import_path(options)),
    }


def _triton(plan: Layout, _: Options, __: Requests) -> dict[str, str]:
    return {**repositories(plan), "plan.csv": index_csv(plan), "README.md": triton_notes(plan)}


#: Formats that are folders: name -> the files in them.
FOLDERS: dict[str, Callable[[Layout, Options, Requests], dict[str, str]]] = {
    "kubernetes": _kubernetes,
    "ray-serve": _ray_serve,
    "triton": _triton,
}
#: All formats, in the order in which --help lists them; csv is one file.
FORMATS = (*FOLDERS, "csv")


def check_output(format_name: str, path: Path) -> None:
    """Refuse a format that is not known, or a path that :func:`export` could not write.

    Raises
    ------
    InputError
        If so.
    """
    if format_name not in FORMATS:
        raise InputError(f"must be one of {', '.join(FORMATS)}", field="format", value=format_name)
    if format_name == "csv":
        check_writable(path)
    else:
        check_new_folder(path)


def export(plan: Layout, format_name: str, path: Path, options: Options) -> list[str]:
    """Write a plan in one of :data:`FORMATS`, all of it or nothing; return what people must know of it.

    Raises
    ------
    InputError
        If an option has another form, or ``path`` cannot be written: see :func:`check_output`.
    """
    check_output(format_name, path)
    _check_template(options.image, "image")
    _check_template(options.import_path, "import_path")
    asked = requests(plan.instance, options.resources)
    if format_name == "csv":
        write_atomically(path, plan_csv(plan))
        return []
    write_folder(path, FOLDERS[format_name](plan, options, asked))
    notes = {
        "kubernetes": [_image(options), _requested(asked)],
        "ray-serve": [_import_path(options), _requested(asked)],
    }
    return notes.get(format_name, ["The models themselves go to GROUP/MODEL/1/ in it"])


def _check_template(text: str, field: str) -> None:
    rest = text.replace("{model}", "m")
    if not rest.isascii() or not rest.isprintable() or not rest.strip() or {*rest} & {*" {}\"'"}:
        raise InputError("must be one word, with {model} for the model's label", field=field, value=text)


def _image(options: Options) -> str:
    unset = " is a placeholder: set it with --image, or in the file" if options.image == IMAGE else ""
    return f"The image {options.image}{unset}"


def _import_path(options: Options) -> str:
    unset = options.import_path == IMPORT_PATH
    return f"The import path {options.import_path}" + (
        " is a placeholder: set it with --import-path, or in the file" if unset else ""
    )


def _requested(asked: Requests) -> str:
    known = [_unit(name, outside, unit) for name, (outside, unit) in asked.known.items()]
    text = f"Replicas ask for {', '.join(known) or 'no resources'}"
    if asked.left_out:
        names = ", ".join(map(repr, asked.left_out))
        text += f"; not for {names}, of which no unit is known, or no whole number asked: see --resource"
    return text


def _unit(name: str, outside: str, unit: Fraction) -> str:
    return f"{outside} (a {name!r} of 1 is {unit}{' bytes' if is_bytes(outside) else ''})"
