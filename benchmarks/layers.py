"""Where the time of a process goes, by the layers that a message passes through.

Run: ``python layers.py FILE`` with what ``py-spy record --gil --format raw -o FILE --pid PID``
has written of a service under load (docs/where-time-goes.md says how), and with
``--per-message US`` to have the shares in microseconds. A sample counts for the innermost function
that belongs to a layer, so that what the standard library does counts for whoever asked for it.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

__all__ = ("LAYERS", "layer_of", "shares")

LAYERS = {
    "WebSocket framing (wsproto)": ("wsproto/",),
    "trio-websocket": ("trio_websocket/",),
    "sockets and TLS": (
        *("moobius_trio/network/byte_streams.py", "trio/_ssl.py"),
        *("trio/_socket.py", "trio/_highlevel_socket.py"),
    ),
    "trio's loop": ("trio/_",),
    "text to values and back": (
        *("moobius_trio/codec/", "moobius_trio/types/", "cattrs/", "orjson/"),
        *("methods moobius_trio.codec.", "methods moobius_trio.types.", "structure moobius_trio."),
    ),
    "drivers": tuple(
        f"moobius_trio/network/{one}.py" for one in ("direct", "websocket", "streams")
    ),
    "link and inbound duplicates": tuple(
        f"moobius_trio/network/{one}.py" for one in ("session", "duplicates", "heartbeat", "link")
    ),
    "outbox and writer": ("moobius_trio/network/", "methods moobius_trio.network."),
    "lanes and dispatch": tuple(
        f"moobius_trio/core/{one}.py"
        for one in ("lane", "lanes", "dispatch", "inlet", "mailbox_room", "weights", "actions")
    ),
    "around a handler": (
        *(f"moobius_trio/core/{one}.py" for one in ("boundary", "units")),
        *("methods moobius_trio.core.", "structlog/"),
    ),
    "storage": ("moobius_trio/database/",),
    "what a handler calls": ("moobius_trio/core/",),
    "the handler itself": ("benchmarks/echo_ours.py",),
}
"""Names, and what the path of a function's file contains; the first that fits counts."""

REST = "the rest"


def layer_of(stack: Iterable[str]) -> str:
    """The layer of the innermost function of a stack, which is given from the outermost on."""
    for function in reversed([*stack]):
        for name, parts in LAYERS.items():
            if any(part in function for part in parts):
                return name
    return REST


def shares(lines: Iterable[str]) -> Counter[str]:
    """Samples by layer; a line is a stack, its functions separated by ``;``, and their number."""
    counted: Counter[str] = Counter()
    for line in lines:
        stack, _, number = line.rstrip().rpartition(" ")
        counted[layer_of(stack.split(";"))] += int(number)
    return counted


def main() -> None:
    """Print the table, the largest share first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--per-message", type=float, metavar="US", help="what one message costs")
    given = parser.parse_args()
    try:
        counted = shares(given.file.read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError) as error:
        sys.exit(f"{given.file}: {error}: it is no raw output of py-spy")
    total = sum(counted.values()) or 1
    for name, number in counted.most_common():
        part = number / total
        cost = "" if given.per_message is None else f"{part * given.per_message:8.1f} us"
        sys.stdout.write(f"{name:32}{part:7.1%}{cost}\n")


if __name__ == "__main__":
    main()
