"""`python main.py`: the demo on the platform that config/service.json names.

`python main.py test` casts spells into it besides: short ones both ways, ones that are too large
for the platform, and short ones again. A number behind it is what all pauses are multiplied by:
`python main.py test 0.1`.
"""

from __future__ import annotations

import sys

import trio
from service import DemoService

from moobius_trio import MessageTooLarge, MoobiusWand, ServiceHandle, run

ROUNDS = (
    ("SYNC TEST! ", 1.0),
    ("ASYNC TEST! ", 1.0),
    ("BOMB" * 10_000, 2.0),
    ("SURVIVED! ", 1.0),
)


async def cast_spells(wand: MoobiusWand, handle: ServiceHandle, pace: float = 1.0) -> None:
    """Four rounds of five spells."""
    await trio.sleep(10 * pace)  # time to open the page and join
    for word, pause in ROUNDS:
        for times in range(1, 6):
            try:
                if word.startswith("SYNC"):
                    wand.spell(handle, (word, times))  # accepted; goes on at once
                else:
                    await wand.aspell(handle, (word, times), wait=True)  # until it has been said
            except MessageTooLarge as exc:
                print(exc)  # the size and the limit; nothing was sent
            await trio.sleep(pause * pace)
    print("connections opened:", handle.statistics().link.connections, flush=True)


async def main() -> None:
    """Run the service until it is stopped with Ctrl+C."""
    async with MoobiusWand() as wand:
        handle = await wand.run(DemoService())  # returns when on_start is done
        match sys.argv[1:]:
            case ["test"]:
                await cast_spells(wand, handle)
            case ["test", pace]:
                await cast_spells(wand, handle, float(pace))


if __name__ == "__main__":
    run(main)
