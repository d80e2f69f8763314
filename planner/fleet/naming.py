"""Names of models and machine types, which may be any text, as names that other systems take.

What is valid there already stays as it is. Anything else becomes what is left of it in lower-case letters,
digits and hyphens, with a digest of the whole behind it: the same in every export, and told apart from
others however they are cut. Every export also holds the original, so that it can be read back.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from itertools import count

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")  # of a Kubernetes label
DIGEST = 12  # characters of 5 bits: a million names clash with probability 4e-7, and then have other digests


def labels(names: Iterable[str], longest: int, valid: re.Pattern[str] = DNS_LABEL) -> dict[str, str]:
    """Return a label for each name, no two alike.

    Parameters
    ----------
    names
        Any texts.
    longest
        Most characters of a label.
    valid
        What a label may look like; names that do stay as they are.
    """
    wanted = list(dict.fromkeys(names))
    found = {name: name for name in wanted if len(name) <= longest and valid.fullmatch(name)}
    taken = set(found)
    for name in wanted:
        if name not in found:
            found[name] = next(label for i in count() if (label := _made(name, longest, i)) not in taken)
            taken.add(found[name])
    return found


def slug(text: str, longest: int) -> str:
    """Return what of a text a DNS label can hold; empty if nothing."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:longest].strip("-")


def digest(text: str) -> str:
    """Return twelve lower-case letters and digits that stand for a text."""
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()[:DIGEST]


def _made(name: str, longest: int, attempt: int) -> str:
    """Return a label that is not the name itself."""
    start = slug(name, longest - DIGEST - 1)
    end = digest(name if not attempt else f"{name}\n{attempt}")
    return f"{start}-{end}" if start else end
