"""The local platform: a real server that speaks the platform's own protocol on this machine.

It shares ``types``, ``codec`` and ``errors`` with the client side and nothing else: the two meet
on the wire (docs/architecture.md sections 3 and 8). Public names only; no logic here.
"""

from __future__ import annotations

from moobius_trio.local.control import Control, JobRow, Problem, ServiceState
from moobius_trio.local.inspected import Handled, Inspected, Missed, News
from moobius_trio.local.inspector import Inspector
from moobius_trio.local.knobs import Knobs
from moobius_trio.local.page_api import Guest
from moobius_trio.local.platform import DEFAULT_BAND, Platform, open_platform
from moobius_trio.local.records import Band
from moobius_trio.local.sockets import Socket

__all__ = (
    "DEFAULT_BAND",
    "Band",
    "Control",
    "Guest",
    "Handled",
    "Inspected",
    "Inspector",
    "JobRow",
    "Knobs",
    "Missed",
    "News",
    "Platform",
    "Problem",
    "ServiceState",
    "Socket",
    "open_platform",
)
