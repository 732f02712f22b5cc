"""A service on the published SDK 1.8, as its users write and start one; it does next to nothing.

Run by an environment with ``moobius==1.8.0``: ``python service_original.py [members] [endless]``,
with its service.json and the authority's ca.pem beside it; what is measured is the process. It
prints a line of JSON when `on_start` is done. ``members``: it fetches the members of each channel
before, as ours does by itself. ``endless``: no handler ever returns. Its log goes to /dev/null.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

options, sys.argv = sys.argv[1:], sys.argv[:1]  # importing the SDK reads the command line

import moobius  # type: ignore[import-not-found]  # noqa: E402  # of its environment
from original_trust import trust  # noqa: E402

answers = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the SDK logs to stdout


class Plain(moobius.Moobius):  # type: ignore[misc]
    """Says that it is there."""

    async def on_channel_init(self, channel_id: str) -> None:
        await super().on_channel_init(channel_id)
        if "members" in options:
            ids = await self.fetch_member_ids(channel_id)
            people = await self.fetch_character_profile(ids)
            self.channels[channel_id] = {one.character_id: one for one in people}

    async def on_start(self) -> None:
        print(json.dumps({"bands": len(self.channels)}), file=answers, flush=True)

    async def on_message_up(self, message: Any) -> None:
        if "endless" in options:
            await asyncio.sleep(1_000_000)


if __name__ == "__main__":
    trust("ca.pem")
    settings = json.loads(Path("service.json").read_text())
    account = {key: settings.pop(key) for key in ("email", "password")}
    moobius.MoobiusWand().run(
        Plain, account_config=account, service_config=settings, db_config={}, log_config={}
    )
