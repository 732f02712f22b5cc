"""Messages through forced disconnects: nothing lost silently, nothing out of order.

20 people in 4 bands talk until the service has sent 10,000 messages, and the platform cuts its
connection with 1001 after every 500th frame. Ends with 1 unless

- sent = confirmed + unconfirmed + dropped,
- everybody in the band saw every confirmed message exactly once,
- nobody saw two messages of a band in another order than the service sent them,
- connections = cuts + 1.

Run: ``python benchmarks/cuts.py [--messages 10000] [--every 500]``. Time is simulated, everything
else is real: platform, codec, link, outbox.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections import Counter, defaultdict

import attrs
import structlog
import trio
import trio.testing

from moobius_trio import ChannelId, MessageUp, MoobiusService, Receipt
from moobius_trio.core.environment import TraceRecord
from moobius_trio.testing import Actor, Local, open_local

BANDS = 4
PEOPLE_PER_BAND = 5
PAUSE_SECONDS = 0.5
"""Between two things one person says. Slow enough for connections of more than ten seconds, which
are followed by a quick reconnect, and for simulated time to pass at all."""


class Relay(MoobiusService):
    """Passes on what it hears to everybody in the band, numbered in the order of sending."""

    def __init__(self, wanted: int) -> None:
        super().__init__()
        self.wanted = wanted
        self.enough = trio.Event()
        self.receipts: dict[tuple[ChannelId, int], Receipt] = {}
        self._numbers: Counter[ChannelId] = Counter()

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        """Send one message, until enough were sent."""
        if len(self.receipts) >= self.wanted:
            self.enough.set()
            return
        channel_id = msg_up.channel_id
        number = self._numbers[channel_id]
        self._numbers[channel_id] += 1
        members = self.bands[channel_id].members
        receipt = await self.create_message(channel_id, str(number), members, sender=msg_up.sender)
        self.receipts[channel_id, number] = receipt


@attrs.frozen
class Figures:
    """What came of a run."""

    sent: int
    ends: Counter[str]
    wrongly_seen: int
    """Confirmed messages that somebody did not see exactly once."""
    inversions: int
    cuts: int
    connections: int

    @property
    def holds(self) -> bool:
        """Whether every promise was kept."""
        named = self.ends["confirmed"] + self.ends["unconfirmed"] + self.ends["dropped"]
        return (
            self.sent == named
            and self.wrongly_seen == 0
            and self.inversions == 0
            and self.connections == self.cuts + 1
        )


class Cutter(list[TraceRecord]):
    """Takes the trace, and cuts the service's connection after every so many written frames."""

    def __init__(self, local: Local, every: int) -> None:
        super().__init__()
        self.cuts = 0
        self._local = local
        self._every = every

    def append(self, record: TraceRecord) -> None:
        """A frame was written."""
        super().append(record)
        if len(self) % self._every == 0:
            self.cuts += 1
            self._local.platform.cut()


async def talk(actor: Actor, relay: Relay) -> None:
    """Say one thing after the other until the service has enough."""
    while not relay.enough.is_set():
        await actor.say("something", settle=False)
        await trio.sleep(PAUSE_SECONDS)


async def measure(messages: int, every: int) -> Figures:
    """One run."""
    async with open_local() as local:
        relay = Relay(messages)
        local.trace = cutter = Cutter(local, every)
        names = [f"local-band-{number}" for number in range(BANDS)]
        first = await local.start(relay, bands=[name.removeprefix("local-") for name in names])
        bands = [first, *(local.band(name) for name in names[1:])]
        people = [
            actor
            for number, band in enumerate(bands)
            for actor in await band.join(*(f"p{number}{n}" for n in range(PEOPLE_PER_BAND)))
        ]
        async with trio.open_nursery() as nursery:
            for actor in people:
                nursery.start_soon(talk, actor, relay)
        await local.settle()
        ends: Counter[str] = Counter(
            [(await receipt.outcome()).state for receipt in relay.receipts.values()]
        )
        await local.settle()
        connections = local.handle().statistics().link.connections
        wrongly_seen, inversions = await examine(relay, people)
        return Figures(
            len(relay.receipts), ends, wrongly_seen, inversions, cutter.cuts, connections
        )


async def examine(relay: Relay, people: list[Actor]) -> tuple[int, int]:
    """What everybody saw, against what was confirmed."""
    confirmed = {
        place
        for place, receipt in relay.receipts.items()
        if (await receipt.outcome()).state == "confirmed"
    }
    wrong: set[tuple[ChannelId, int]] = set()
    inversions = 0
    by_band: dict[ChannelId, list[Actor]] = defaultdict(list)
    for actor in people:
        by_band[actor.channel_id].append(actor)
    for channel_id, actors in by_band.items():
        for actor in actors:
            numbers = [int(text) for text in actor.texts]
            inversions += sum(a >= b for a, b in itertools.pairwise(numbers))
            seen = Counter(numbers)
            wrong |= {
                (band, number)
                for band, number in confirmed
                if band == channel_id and seen[number] != 1
            }
    return len(wrong), inversions


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--every", type=int, default=500)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    clock = trio.testing.MockClock(autojump_threshold=0)
    figures = trio.run(measure, options.messages, options.every, clock=clock)
    sys.stdout.write(
        f"sent {figures.sent}: "
        + ", ".join(f"{state} {count}" for state, count in sorted(figures.ends.items()))
        + f"\nconfirmed and not seen exactly once: {figures.wrongly_seen}"
        + f"\ninversions: {figures.inversions}"
        + f"\ncuts {figures.cuts}, connections {figures.connections}\n"
    )
    sys.exit(0 if figures.holds else 1)


if __name__ == "__main__":
    main()
