"""What is unknown of the real platform, and what it may do wrong, as settings of the local one.

Values only. Everything that docs/protocol/generation-0.md does know is no knob; faults of the
transport are the relay's (``moobius_trio.testing.relay``). Each knob with its values and the fault
that it is for: docs/how-to/faults.md.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, TypeVar

import attrs
from attrs import validators

__all__ = ("Garbage", "HttpFault", "Knobs", "RefusalForm")

T = TypeVar("T")

RefusalForm: TypeAlias = Literal["words", "bare", "gateway", "close", "silence"]
Garbage: TypeAlias = Literal["bad_json", "not_utf8", "deep", "untyped", "unknown", "oversized"]
HttpFault: TypeAlias = Literal[
    "none", "500", "502", "503", "429", "hang", "trickle", "html", "empty", "code", "drop"
]


def _count(default: T, *, least: int = 1) -> T:
    """A whole number from ``least`` on, or None where that is the default."""
    return _number(default, (int,), least, 10**9)


def _seconds(default: T) -> T:
    """A time of ten years at most, or None where that is the default."""
    return _number(default, (int, float), 0, 3650 * 24 * 3600)


def _number(default: T, kinds: tuple[type[Any], ...], least: int, most: int) -> T:
    def check(instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise TypeError(f"{attribute.name} is a number, not {value!r}")
        if not least <= value <= most:
            raise ValueError(f"{attribute.name} is from {least} to {most}, not {value}")

    validator: Any = check if default is not None else validators.optional(check)
    field: Any = attrs.field(default=default, validator=validator)
    found: T = field
    return found


def _one_of(default: T, choices: Any) -> T:
    field: Any = attrs.field(default=default, validator=validators.in_(choices.__args__))
    found: T = field
    return found


@attrs.frozen(kw_only=True)
class Knobs:
    """How the local platform behaves where nothing is known of the real one, and what goes wrong.

    ``Platform.knobs`` may be replaced at any time; what is already under way keeps the old value,
    and whatever is counted ("every n-th") is counted from then. Unless it says otherwise, a knob
    below is for services; people on the page are served as ever.

    Raises:
        ValueError, TypeError: a value is none of those that the knob has.
    """

    # Receipts

    copies_echo_id: Literal["proven", "foreign", "absent"] = _one_of(
        "proven", Literal["proven", "foreign", "absent"]
    )
    """What a receipt names: the ``request_id`` of the frame, an id of the platform's own, or
    there are no receipts at all, for people neither (docs/architecture.md section 5)."""
    copies_times: int = _count(1)
    """How often each receipt is sent."""
    copies_delay: float = _seconds(0.0)
    """How many seconds after its frame a receipt is sent."""
    copies_lost_every: int | None = _count(None)
    """Each so manieth receipt is never sent."""
    answer_pings: bool = True
    """A heartbeat gets a receipt like every other frame."""
    answer_socket_pings: bool = True
    """A ping of the WebSocket's own gets its pong."""
    refusal_form: RefusalForm = _one_of("words", RefusalForm)
    """How a frame is refused: a receipt with ``status: false`` and words, one with an empty
    context, an error frame of the host (without a type), a close with 1008, or not a word."""

    # Frames of services

    drop_repeats: bool = True
    """A service's frame with a ``request_id`` that was accepted before is answered and dropped."""
    order: Literal["kept", "concurrent"] = _one_of("kept", Literal["kept", "concurrent"])
    """Whether frames take effect in the order in which they came, or each after a time of its own,
    up to ``order_seconds``."""
    order_seconds: float = _seconds(0.05)
    """See ``order``."""
    slow_seconds: float = _seconds(0.0)
    """How much later what a service says takes effect and is answered, in its order. Heartbeats and
    logins do not wait, so that the connection stays."""
    roger: Literal["refused", "copied", "ignored"] = _one_of(
        "refused", Literal["refused", "copied", "ignored"]
    )
    """A frame of the type ``roger``: refused as any unknown one, answered, or passed over."""
    message_limit: int = _count(65_536)
    """Bytes of a message; a larger one closes the connection with 1009
    (docs/protocol/generation-0.md section 4.5). For people too."""
    frame_limit: int | None = _count(None)
    """Bytes of one frame of a message, as they are on the wire; a larger one closes the connection
    with 1009. The host's published limit is 32,768."""
    refuse_every: int | None = _count(None)
    """Each so manieth message or update is refused."""
    refuse_again: bool = False
    """Whether what was refused by ``refuse_every`` is refused also when it comes again."""

    # Connections and logins

    handshake_status: int | None = _count(None, least=400)
    """The HTTP status with which a new WebSocket is refused."""
    second_login: Literal["displace", "refuse", "both"] = _one_of(
        "displace", Literal["displace", "refuse", "both"]
    )
    """A service logs in on a second connection: the older one is closed with 1008, the login is
    refused, or both are kept and get the same events."""
    refuse_login_from: int | None = _count(None)
    """The so manieth login of a service, and those after it, are refused."""
    refuse_login_count: int | None = _count(None)
    """How many logins ``refuse_login_from`` refuses; None: all."""
    access_seconds: float = _seconds(24 * 3600.0)
    """How long an access token is good (docs/protocol/generation-0.md section 2.4)."""
    refresh_seconds: float = _seconds(30 * 24 * 3600.0)
    """How long a refresh token is good."""
    live_token: Literal["ignored", "refused", "closed"] = _one_of(
        "ignored", Literal["ignored", "refused", "closed"]
    )
    """A frame on a connection whose token has expired since the login: as ever, refused, or the
    connection is closed with 1008."""
    connection_seconds: float | None = _seconds(None)
    """After this time a connection is cut; the host's published limit is two hours."""
    idle_seconds: float | None = _seconds(None)
    """A connection on which the service says nothing for this time is cut; the host's published
    limit is ten minutes."""
    cut_every: int | None = _count(None)
    """After this many messages and updates of services the services' connections are cut, as the
    platform's host does now and then."""
    cut_code: int = attrs.field(default=1001, validator=validators.in_(range(1000, 5000)))
    """The close code of a cut by one of the three knobs above."""
    cut_notice: float | None = _seconds(None)
    """So many seconds before such a cut an error frame of the host says so; None: nothing does."""

    # Events for services

    duplicate_every: int | None = _count(None)
    """Each so manieth event for services comes twice."""
    duplicate_after_login: int = _count(0, least=0)
    """This many of the last events (100 at most) come again after a service's next login."""
    reorder_every: int | None = _count(None)
    """Each so manieth event for services comes half a second late, behind those after it."""
    garbage: tuple[Garbage, ...] = attrs.field(
        default=(),
        validator=validators.deep_iterable(validators.in_(Garbage.__args__)),  # type: ignore[attr-defined]
    )
    """What comes among the events, in turn: a text that is no JSON, bytes that are no UTF-8,
    100,000 opening brackets, an error frame of the host, a frame of an unknown type, a frame of two
    MiB."""
    garbage_every: int = _count(1)
    """Before each so manieth event for services comes a piece of ``garbage``."""

    # HTTP

    history: Literal["absent", "refused", "open"] = _one_of(
        "absent", Literal["absent", "refused", "open"]
    )
    """What ``GET /channel/history_message`` gives a service: 404, 403, or the messages of the
    bands that it holds. Generation 1 has this call: for its clients ``absent`` is ``open``
    (docs/protocol/generation-1.md section 2.2 row 25)."""
    http_fault: HttpFault = _one_of("none", HttpFault)
    """What a call of the protocol gets: a status; no answer; one byte a second; HTML, an empty
    body or a code other than 10000, each with status 200. With ``drop`` it is carried out, and the
    connection ends instead of an answer (in memory, where there is none, no answer comes)."""
    http_fault_every: int = _count(1)
    """Each so manieth call has the fault."""
    http_fault_path: str = attrs.field(
        default="", validator=[validators.instance_of(str), validators.max_len(1000)]
    )
    """Only calls whose path begins with this have it, and only they are counted."""
    http_retry_after: int | None = _count(None, least=0)
    """The seconds that ``Retry-After`` names with 429 and 503; None: the header is missing."""
