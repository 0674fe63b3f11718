"""Whether the value of a magic is used, as in ``x = %rucat list``; else IPython would show it a second time."""

from __future__ import annotations

import dis
import sys
from types import FrameType

_RUNS = ("run_line_magic", "run_cell_magic")
_DISPLAYS = ("PRINT_EXPR", "CALL_INTRINSIC_1")  # up to Python 3.11, and later: these make Out[n]
_DROPS = ("POP_TOP", "RETURN_VALUE", "RETURN_CONST", *_DISPLAYS)
_NOTHING = ("CACHE", "RESUME", "NOP", "PRECALL", "EXTENDED_ARG", "NOT_TAKEN")


def is_value_used() -> bool:
    """Whether the code that runs the magic uses its value; False if unknown."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_name not in _RUNS:
        frame = frame.f_back
    frame = frame.f_back if frame is not None else None
    if frame is None:
        return False
    after = (i for i in dis.get_instructions(frame.f_code) if i.offset > frame.f_lasti and i.opname not in _NOTHING)
    found = next(after, None)
    return found is not None and found.opname not in _DROPS
