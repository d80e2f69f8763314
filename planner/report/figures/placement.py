"""The placement map: a box for machines that carry the same pattern, a tile in it for each model there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planner.report.drawing.palette import degree
from planner.report.drawing.shapes import Blocks, Drawing, Text, name_text, width
from planner.report.figures.figure import NARROW, WIDE, Figure, stem
from planner.report.placement import Box, Tile, TypeMap
from planner.report.text import count, slowdown

_GAP = 12.0
_EDGE = 8.0
_TILE = 24.0
_HEAD = 34.0
_MOST_TILES = 8
_FEW = 3  # boxes on a narrow page, beside the costliest


def placement(maps: TypeMap, case: str, number: int) -> Figure:
    """Return the map of one machine type; ``number`` tells its files from those of other types."""
    few = [*[b for b in maps.boxes if not b.costly][:_FEW], *[b for b in maps.boxes if b.costly][:1]]
    return Figure(
        name=stem(case, "placement", number, maps.machine_type),
        title=f"Placement on {maps.machine_type}",
        wide=_draw(maps.boxes, WIDE, 4),
        narrow=_draw(few, NARROW, 1),
        columns=("machine_type", "pattern", "machines", "model", "replicas", "degradation"),
        rows=[
            (maps.machine_type, i, box.machines, tile.model, tile.count, tile.degradation)
            for i, box in enumerate(maps.boxes, start=1)
            for tile in box.tiles
        ],
        notes=(_unseen(maps, maps.boxes), _unseen(maps, few)),
        scale=True,
    )


def _unseen(maps: TypeMap, boxes: Sequence[Box]) -> str:
    patterns, machines = maps.unseen(boxes)
    if not patterns:
        return ""
    shown = f"The {len(boxes)} patterns shown stand for {maps.used - machines:,} of {maps.used:,} machines"
    return f"{shown}; {count(patterns, 'more pattern')} on {count(machines, 'machine')} not shown."


def _draw(boxes: Sequence[Box], room: float, columns: int) -> Drawing:
    """Return boxes in rows; all of a row are as high as its highest."""
    result = Drawing(room)
    wide = (room - _GAP * (columns - 1)) / columns
    for first in range(0, len(boxes), columns):
        row = boxes[first : first + columns]
        high = max(_height(box) for box in row)
        for i, box in enumerate(row):
            result.place(_box(box, wide, high), i * (wide + _GAP), result.height)
        result.height += high + _GAP
    result.height = max(0.0, result.height - _GAP)
    return result


def _lines(box: Box) -> int:
    more = len(box.tiles) > _MOST_TILES
    return min(len(box.tiles), _MOST_TILES) + more + bool(box.free)


def _height(box: Box) -> float:
    return _HEAD + _lines(box) * _TILE + _EDGE + (16 if box.pinned else 0)


def _box(box: Box, wide: float, high: float) -> Drawing:
    result = Drawing(wide, high)
    result.add(Blocks(((0.5, 0.5, wide - 1, high - 1),), "surface", "line", 8))
    machines = f"{box.machines:,} ×"
    result.add(Text(_EDGE + 2, 23, machines, 16, bold=True))
    about = ("costliest · " if box.costly else "") + ("" if box.total is None else f"Σ {slowdown(box.total)}")
    room = wide - 2 * _EDGE - width(machines, 16) - 12
    result.add(name_text(wide - _EDGE - 2, 22, about, room, 11.5, anchor="end", fill="muted"))
    top = _HEAD
    if box.pinned:
        result.add(name_text(_EDGE + 2, top + 8, f"pinned: {box.pinned}", wide - 20, 11.5, fill="muted"))
        top += 16
    for shape in _tiles(box, wide):
        result.place(shape, _EDGE, top)
        top += _TILE
    return result


def _tiles(box: Box, wide: float) -> Iterator[Drawing]:
    inner = wide - 2 * _EDGE
    for tile in box.tiles[:_MOST_TILES]:
        yield _tile(tile, inner)
    if rest := box.tiles[_MOST_TILES:]:
        replicas = sum(tile.count for tile in rest)
        yield _plain(f"+ {count(len(rest), 'more model')}, {count(replicas, 'replica')}", inner, "line")
    if box.free:
        yield _plain(f"{count(box.free, 'slot')} free", inner, None)


def _tile(tile: Tile, wide: float) -> Drawing:
    result = Drawing(wide, _TILE)
    level = None if tile.degradation is None else degree(tile.degradation)
    fill, ink = ("grid", "ink") if level is None else (f"d{level}", f"t{level}")
    result.add(Blocks(((0, 0, wide, _TILE - 3),), fill, None, 4))
    many = "" if tile.count == 1 else f"{tile.count:,} × "
    amount = "" if tile.degradation is None else slowdown(tile.degradation)
    left = 7.0
    if many:
        result.add(Text(left, 15, many, 12, fill=ink, bold=True))
        left += width(many, 12)
    room = wide - left - width(amount, 12) - 16
    result.add(name_text(left, 15, tile.model, room, 12, fill=ink))
    result.add(Text(wide - 7, 15, amount, 12, "end", ink))
    return result


def _plain(words: str, wide: float, fill: str | None) -> Drawing:
    result = Drawing(wide, _TILE)
    result.add(Blocks(((0.5, 0.5, wide - 1, _TILE - 4),), None, "line", 4, dashed=fill is None))
    result.add(Text(7, 15, words, 11.5, fill="muted"))
    return result
