"""Tapes: what people did with a service and what they then saw, written down to be compared.

Pure: values, their text, and what is made of the records of an inspector
(docs/architecture.md section 3). What plays a tape stands in ``testing.replaying``.
"""

from moobius_trio.tapes.comparing import Difference, compare
from moobius_trio.tapes.recorder import Recorder
from moobius_trio.tapes.tape import Down, Frame, Step, Tape, Up, words_of
from moobius_trio.tapes.text import read_tape, write_tape

__all__ = (
    "Difference",
    "Down",
    "Frame",
    "Recorder",
    "Step",
    "Tape",
    "Up",
    "compare",
    "read_tape",
    "words_of",
    "write_tape",
)
