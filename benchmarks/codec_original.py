"""The original's side of the codec benchmark, in an environment with ``moobius==1.8.0``.

What is called are its own functions, unmodified, in its order: from `handle_received_payload`,
which gives `on_message_up` its message, by `normalize_message`, to `message_down` and `dumps`.
Left out, to its advantage, are its log, its tasks and queues, and how it finds a group's id.

Run: ``python codec_original.py``, then a line of JSON for each order, answered by seconds per
message.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

sys.argv = sys.argv[:1]  # importing the SDK reads the command line (generation-1.md section 9, 22)

import moobius  # type: ignore[import-not-found]  # noqa: E402  # of its environment
from loguru import logger  # type: ignore[import-not-found]  # noqa: E402

SERVICE = "33333333-3333-4333-8333-333333333333"
GROUP = "22222222-2222-4222-8222-222222222222"


class Keeper(moobius.Moobius):  # type: ignore[misc]
    """Keeps the message that it was given."""

    async def on_message_up(self, message: Any) -> None:
        self.message = message


def finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine returns that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise RuntimeError("it waits for something")


def measure(service: Any, frame: str, messages: int) -> dict[str, float]:
    """CPU seconds per message of each part."""

    def decode(text: str) -> Any:
        finished(service.handle_received_payload(text))
        return service.message

    def reply(message: Any) -> Any:
        return moobius.types.normalize_message(message=message, recipients=GROUP)

    def encode(normal: dict[str, Any]) -> str:
        client = service.ws_client
        plain = finished(client.message_down(SERVICE, SERVICE, **normal, dry_run=True))
        text: str = client.dumps(plain)
        return text

    message = decode(frame)
    normal = reply(message)
    return {
        "decode": seconds(messages, decode, frame),
        "reply": seconds(messages, reply, message),
        "encode": seconds(messages, encode, normal),
        "all three": seconds(messages, lambda text: encode(reply(decode(text))), frame),
    }


def seconds(times: int, function: Callable[[Any], object], argument: object) -> float:
    """CPU seconds of one call."""
    for _ in range(times // 10):
        function(argument)
    began = time.thread_time()
    for _ in range(times):
        function(argument)
    return (time.thread_time() - began) / times


def main() -> None:
    """Answer until the input ends."""
    answers, sys.stdout = sys.stdout, sys.stderr  # it prints
    service = Keeper(
        account_config={"email": "bench@example.org", "password": "x"},
        service_config={
            "http_server_uri": "http://127.0.0.1:1/",
            "ws_server_uri": "wss://127.0.0.1:1/",
            "service_id": SERVICE,
            "no_warn_cannot_save_service_id": True,
        },
        db_config={},
        log_config={},
    )
    logger.remove()
    for line in sys.stdin:
        order = json.loads(line)
        found = measure(service, order["frame"], order["messages"])
        print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    main()
