"""Whether a body is of a shape that can be read at little cost, seen from its brackets and commas alone.

Only large bodies can do harm: what fits into SMALL_BYTES is read in milliseconds, whatever it holds, or ends at
Python's own limit of recursion.
"""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Final

from service.errors import Rejected

SMALL_BYTES: Final = 64 * 1024
MOST_MARKS: Final = 100_000
DEEPEST: Final = 200

_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NO_BRACKETS: Final = bytes(set(range(256)) - {*b"[]{}"})


def check_shape(body: bytes) -> None:
    """Raises Rejected for a body with more than MOST_MARKS brackets and commas, or nested deeper than DEEPEST.

    A real delivery of a megabyte has some twenty thousand marks, and ten levels.
    """
    if len(body) <= SMALL_BYTES:
        return
    skeleton = _STRING.sub(b"", body)
    brackets = skeleton.translate(None, _NO_BRACKETS)
    if skeleton.count(b",") + len(brackets) > MOST_MARKS:
        raise Rejected(413, f"the body holds more than {MOST_MARKS} values")
    if max(accumulate(1 if one in b"[{" else -1 for one in brackets), default=0) > DEEPEST:
        raise Rejected(400, f"the body is nested more than {DEEPEST} levels deep")
