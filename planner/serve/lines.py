"""Where in a document a field stands."""

from __future__ import annotations

import re

import yaml

_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_MOST = 2**19
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NAMED = re.compile(r"line (\d+)")


def line_of(text: str, field: str) -> int | None:
    """Return the line (from 1) of a field such as ``models[2].slo_ms`` in a YAML or JSON document.

    Where the field is missing, that of what should have it. None if the document cannot be parsed or is
    larger than half a MB; a field that itself names a line has that one.
    """
    if named := _NAMED.match(field):
        return int(named[1])
    if len(text) > _MOST:
        return None
    try:
        node = yaml.compose(text, Loader=_LOADER)
    except (yaml.YAMLError, RecursionError):
        return None
    line = None if node is None else int(node.start_mark.line) + 1
    for index, name in _STEP.findall(field):
        found = None
        if isinstance(node, yaml.SequenceNode) and index and int(index) < len(node.value):
            found = mark = node.value[int(index)]
        elif isinstance(node, yaml.MappingNode):
            key = next(((k, v) for k, v in node.value if k.value == (name or index)), None)
            if key is not None:
                mark, found = key
        if found is None:
            break
        node, line = found, int(mark.start_mark.line) + 1
    return line
