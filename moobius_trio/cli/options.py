"""The options that several commands have, with their help and defaults. No command here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

__all__ = (
    "DEFAULT_HOST",
    "DEFAULT_LIMIT",
    "DEFAULT_PORT",
    "BandOption",
    "BrowserOption",
    "FaultsOption",
    "HostOption",
    "KnobOption",
    "KnowOption",
    "LimitOption",
    "PortOption",
    "ReadyOption",
    "ReloadOption",
    "ServicePath",
    "StateOption",
    "TlsOption",
)

ServicePath = Annotated[
    str,
    Parameter(
        help="The service: a Python file, a project folder (its service.py, else its main.py), "
        "FILE.py:Class or module:Class."
    ),
]
StateOption = Annotated[
    Path | None,
    Parameter(help="Folder that keeps accounts, bands, messages and stores between two runs."),
]
PortOption = Annotated[
    int,
    Parameter(validator=Number(gte=0, lte=65_535), help="Port to listen on; 0: any free one."),
]
HostOption = Annotated[
    str,
    Parameter(
        metavar="ADDRESS",
        help="Let other machines in too, at this address of yours, such as 192.168.1.20, or "
        "0.0.0.0 for all; with --i-know. They need the link that is printed.",
    ),
]
KnowOption = Annotated[
    bool,
    Parameter(
        name="--i-know",
        negative="",
        show_default=False,
        help="I know that --host is for trying things out among friends: nothing is encrypted.",
    ),
]
ReadyOption = Annotated[
    bool,
    Parameter(
        negative="",
        show_default=False,
        help="When ready, print one line of JSON on standard output, for programs.",
    ),
]
BrowserOption = Annotated[
    bool,
    Parameter(
        name="--no-browser", negative="", show_default=False, help="Do not open the page by itself."
    ),
]
ReloadOption = Annotated[
    bool,
    Parameter(
        name="--no-reload",
        negative="",
        show_default=False,
        help="Do not start the service anew when its files are saved; end when it crashes.",
    ),
]
LimitOption = Annotated[
    int,
    Parameter(
        validator=Number(gte=1),
        help="Largest message in bytes; a larger one closes its connection with code 1009.",
    ),
]

KnobOption = Annotated[
    list[str] | None,
    Parameter(
        name="--knob",
        negative="",
        metavar="NAME=VALUE",
        # Not read from the class: importing the platform would make every --help slow.
        help="Change how the platform behaves; repeatable. docs/how-to/faults.md says what each "
        "does. Receipts: copies_echo_id, copies_times, copies_delay, copies_lost_every, "
        "answer_pings, answer_socket_pings, refusal_form. Frames: drop_repeats, order, "
        "order_seconds, slow_seconds, roger, message_limit, frame_limit, refuse_every, "
        "refuse_again. Connections: handshake_status, second_login, refuse_login_from, "
        "refuse_login_count, access_seconds, refresh_seconds, live_token, connection_seconds, "
        "idle_seconds, cut_every, cut_code, cut_notice. Events: duplicate_every, "
        "duplicate_after_login, reorder_every, garbage, garbage_every. HTTP: history, http_fault, "
        "http_fault_every, http_fault_path, http_retry_after.",
    ),
]
FaultsOption = Annotated[
    str | None,
    Parameter(
        metavar="SPEC",
        help="Put a relay with faults before the port, such as reset=60 or delay=0.2,slow=2000. "
        "reset, close, hole: seconds between two; dark: up, down or both; delay: seconds; "
        "slow: bytes a second; slice: bytes; corrupt: a part of 1; seed: a number.",
    ),
]

TlsOption = Annotated[
    bool,
    Parameter(
        name="--tls",
        negative="",
        show_default=False,
        help="Speak https and wss, with a certificate of an authority of its own; the file that "
        "clients need to trust it is printed. For clients that refuse anything else.",
    ),
]

BandOption = Annotated[
    list[str] | None,
    Parameter(
        negative="",
        metavar="NAME",
        help="Name of a band to make besides local-demo; repeatable.",
    ),
]

DEFAULT_PORT = 8765
DEFAULT_HOST = "127.0.0.1"
DEFAULT_LIMIT = 65_536
