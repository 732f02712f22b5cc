"""What is unknown of the real platform, as settings of the local one.

Values only. Everything that docs/protocol/generation-0.md does know is no knob.
"""

from __future__ import annotations

from typing import Literal

import attrs

__all__ = ("Knobs",)


@attrs.frozen(kw_only=True)
class Knobs:
    """How the local platform behaves where nothing is known of the real one.

    ``Platform.knobs`` may be replaced at any time; what is already under way keeps the old value.
    """

    copies_echo_id: Literal["proven", "foreign", "absent"] = "proven"
    """What a receipt names: the ``request_id`` of the frame, an id of the platform's own, or
    there are no receipts at all (docs/architecture.md section 5)."""
    drop_repeats: bool = True
    """A service's frame with a ``request_id`` that was accepted before is answered and dropped."""
    answer_pings: bool = True
    """A heartbeat gets a receipt like every other frame."""
    message_limit: int = 65_536
    """Bytes of a frame; a larger one closes the connection with 1009
    (docs/protocol/generation-0.md section 4.5)."""
    cut_every: int | None = None
    """After this many messages and updates of services the services' connections are closed with
    1001, as the platform's host does now and then."""
    second_login: Literal["displace", "refuse", "both"] = "displace"
    """A service logs in on a second connection: the older one is closed with 1008, the login is
    refused, or both are kept and get the same events."""
    access_seconds: float = 24 * 3600
    """How long an access token is good (docs/protocol/generation-0.md section 2.4)."""
    refresh_seconds: float = 30 * 24 * 3600
    """How long a refresh token is good."""
