"""The original's side of the echo benchmarks: ``echo_ours.py`` on the published SDK 1.8.

That SDK is imported and used as it is, as its users write programs on it. Facts:
docs/protocol/generation-1.md sections 8 and 9.

Run by the Python of an environment with ``moobius==1.8.0``, with the same line on the input as
``echo_ours.py``; ``driver`` has no meaning. ``log``: ``shipped`` is its own INFO on its output,
which goes to /dev/null, and ``off`` is none.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from typing import Any

from original_trust import trust

sys.argv = sys.argv[:1]  # importing the SDK reads the command line (section 9, 22)

import moobius  # type: ignore[import-not-found]  # noqa: E402  # of its environment
from loguru import logger  # type: ignore[import-not-found]  # noqa: E402

to_bench = os.fdopen(os.dup(1), "w", buffering=1)
"""Our output; what the SDK prints goes elsewhere."""


class Echo(moobius.Moobius):  # type: ignore[misc]
    """Answers each message with itself."""

    quiet = False

    async def on_start(self) -> None:
        if self.quiet:
            logger.remove()  # the SDK has set its own just before
        print(json.dumps("ready"), file=to_bench)

    async def on_message_up(self, message: Any) -> None:
        match message.content.text[0]:
            case "s":
                counts = self.channels[message.channel_id].counts
                counts[message.sender] = counts.get(message.sender, 0) + 1
            case "h":
                await self.fetch_member_ids(message.channel_id)
        await self.send_message(message, recipients=[message.sender])


def service(order: dict[str, Any]) -> Echo:
    """The service, configured as it is asked for, in the current folder."""
    echo = Echo(
        account_config={"email": "bench@example.org", "password": "x"},
        service_config={
            "http_server_uri": order["http"],
            "ws_server_uri": order["ws"],
            "service_id": "33333333-3333-4333-8333-333333333333",
            "channels": order["bands"],
            "no_warn_cannot_save_service_id": True,
        },
        db_config=[
            {
                "implementation": "json",
                "name": "counts",
                "load": True,
                "clear": False,
                "settings": {"root_dir": "db"},
            }
        ],
        log_config={},
    )
    echo.quiet = order["log"] == "off"
    return echo


def end_with_the_input() -> None:
    """The SDK has loops without an end."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    given = json.loads(sys.stdin.readline())
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if given["ca"]:
        trust(given["ca"])
    threading.Thread(target=end_with_the_input, daemon=True).start()
    asyncio.run(service(given).start())
