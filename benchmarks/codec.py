"""What one message costs the codec: the text of a frame to a value, a reply, its text.

No socket and no loop is in it, and nothing is logged. Ours are the words of a service's wire as
link and outbox use them, with a new id and the time for each reply, on both generations. The
original's are its own functions, unmodified, in its own environment, on the generation that it
speaks. What was measured is CPU time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
from workload import Bench, Figure, Place

__all__ = ("WORKLOADS", "Codec")

HERE: Final = Path(__file__).parent
PARTS: Final = ("decode", "reply", "encode", "all three")
OURS: Final = ("ours, generation 1", "ours, generation 0")
ORIGINAL: Final = "1.8"
MESSAGES: Final = 2_000
"""Of each part and round."""

BAND: Final = "44444444-4444-4444-8444-444444444444"
USER: Final = "11111111-1111-4111-8111-111111111111"
CONTEXT: Final[Mapping[str, object]] = {
    "group_id": "service",
    "group_name": "Meow",
    "character_num": 1,
    "channel_type": "ccs",
}
"""As in the frames that the platform was seen to send (generation-1.md section 3.4)."""
MESSAGE: Final = "66666666-6666-4666-8666-666666666666"


@attrs.frozen
class Codec:
    """A `Workload`: one size of frame."""

    words: str
    size: int
    family: str = "codec"
    rounds: int = 9
    seconds: float = 1.0

    @property
    def name(self) -> str:
        """What ``--only`` matches."""
        return f"codec-{self.size}"

    @property
    def row(self) -> str:
        """What the table calls it."""
        return f"codec {self.words}"

    def places(self) -> Iterable[Place]:
        """Every part of every client."""
        for client in (*OURS, ORIGINAL):
            for part in PARTS:
                yield Place(self.row, client, _named(part))

    def pairs(self) -> Iterable[tuple[str, str]]:
        """Both generations beside the one that the original speaks."""
        return [(client, ORIGINAL) for client in OURS]

    async def run_round(self, bench: Bench) -> Iterable[Figure]:
        """Each client once."""
        clients = [*OURS, ORIGINAL] if bench.original else [*OURS]
        figures = []
        for client in bench.turn(clients):
            python, script = (
                (bench.original, "codec_original.py")
                if client == ORIGINAL
                else (bench.ours, "codec_ours.py")
            )
            argv = [str(python), str(HERE / script)]
            child = await bench.keep(
                script, partial(bench.open_child, argv, discard=client == ORIGINAL)
            )
            generation = 0 if client == OURS[1] else 1
            order = {
                "generation": generation,
                "frame": frame(generation, self.size),
                "messages": MESSAGES,
            }
            answer: dict[str, float] = await child.ask(order)
            figures += [
                Figure(self.row, client, _named(part), answer[part] * 1e6) for part in PARTS
            ]
        return figures


def _named(part: str) -> str:
    return f"{part} us"


def frame(generation: int, size: int) -> str:
    """What the platform sends up of a text to the Service, so many bytes with everything.

    In generation 1 it tells of the group besides, where there is room for it.
    """
    told = CONTEXT if size > 1000 else {}
    empty = _frame(generation, "", told)
    return _frame(generation, "x" * max(1, size - len(empty)), told)


def _frame(generation: int, text: str, told: Mapping[str, object]) -> str:
    body: dict[str, Any] = {
        "subtype": "text",
        "channel_id": BAND,
        "content": {"text": text},
        "timestamp": 1_700_000_000_000,
    }
    if generation == 0:
        context: dict[str, object] = {"sender": USER, "recipients": [], "group_id": None}
        body |= {"msg_id": MESSAGE, "recipients": [], "context": context}
        return json.dumps({"type": "msg_up", "body": body})
    body |= {"recipients": "service", "message_id": MESSAGE, "context": told, "sender": USER}
    return json.dumps({"type": "message_up", "body": body})


WORKLOADS: Final = (Codec("300 B", 300), Codec("8 KB", 8192))
