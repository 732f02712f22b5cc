"""A service of ours as its users write and start one, with every default; it does next to nothing.

Run: ``python service_ours.py [endless]``, with its service.json beside it; what is measured is the
process. It prints a line of JSON when `on_start` is done. ``endless``: no handler ever returns.
"""

import json
import sys

import trio

from moobius_trio import MessageUp, MoobiusService, run


class Plain(MoobiusService):
    """Says that it is there."""

    async def on_start(self) -> None:
        print(json.dumps({"bands": len(self.bands)}), flush=True)

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        if "endless" in sys.argv:
            await trio.sleep_forever()


if __name__ == "__main__":
    run(Plain().serve)
