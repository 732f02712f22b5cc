"""Public test kit: people, a platform in memory, streams, and the storage conformance suite."""

from moobius_trio.core.unheard import Unheard
from moobius_trio.network.memory import MemoryFrameStream, memory_stream_pair
from moobius_trio.testing.actors import SERVICE, Actor
from moobius_trio.testing.harness import Local, LocalBand, RunOptions
from moobius_trio.testing.inline import run_inline
from moobius_trio.testing.opening import open_local
from moobius_trio.testing.replaying import check_tape, replay
from moobius_trio.testing.screen import Screen
from moobius_trio.testing.users import start_user

__all__ = (
    "SERVICE",
    "Actor",
    "Local",
    "LocalBand",
    "MemoryFrameStream",
    "RunOptions",
    "Screen",
    "Unheard",
    "check_tape",
    "memory_stream_pair",
    "open_local",
    "replay",
    "run_inline",
    "start_user",
)
