"""What is put on a machine to be measured: a model, or a synthetic hog that presses on one resource."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from planner.measure.inputs import Input

#: Resource -> what its hog does; each runs one unit of about a millisecond after the other.
HOGS = {
    "memory": "copies arrays too large for any cache",
    "cache": "gathers at random from an array about as large as a core's share of the last-level cache",
    "cpu": "multiplies matrices that stay in the first-level cache",
}
HOG_PREFIX = "~"


@dataclass(frozen=True)
class Subject:
    """Something that serves requests.

    Attributes
    ----------
    name
        Unique in a spec.
    zoo
        Its name in the zoo; None if it is not from there.
    onnx
        The user's own file; None if it is not one.
    hog
        One of :data:`HOGS`; None if it is a model.
    inputs
        Of one request; none for a hog.
    rate_rps
        Requests a second in an open loop; None where only a closed loop is asked for.
    """

    name: str
    zoo: str | None = None
    onnx: Path | None = None
    hog: str | None = None
    inputs: tuple[Input, ...] = ()
    rate_rps: float | None = None

    @property
    def is_hog(self) -> bool:
        """Whether it is a hog, which is always driven in a closed loop."""
        return self.hog is not None


def hog(resource: str) -> Subject:
    """Return the hog of a resource."""
    return Subject(HOG_PREFIX + resource, hog=resource)
