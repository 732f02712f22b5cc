"""What a service says of itself: figures that agree with what has happened."""

from __future__ import annotations

import attrs
import pytest
import trio
import trio.testing

from moobius_trio import ChannelId, Content, MessageUp, MoobiusService, UserId, container, every
from moobius_trio.testing import SERVICE, Local
from moobius_trio.testing.core_rig import deliver

ALICE = UserId("alice")


class Busy(MoobiusService):
    """Echoes, fails on demand, and counts."""

    totals = container(int)

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        if msg_up.text == "fail":
            raise ValueError("no")
        if msg_up.text == "wait":
            await trio.sleep(30)
        self.totals[ALICE] = self.totals.get(ALICE, 0) + 1
        await self.reply(msg_up, "yes")

    @every(minutes=1)
    async def tick(self) -> None:
        pass


async def test_the_figures_of_a_service(local: Local) -> None:
    """Connection, outbox, lanes, jobs, stores and failures, in one frozen value."""
    local.keep_failures = True
    service = Busy()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    await alice.say("hello", to=SERVICE)
    await alice.say("fail", to=SERVICE)
    await local.skip(minutes=2)
    statistics = service.statistics()
    assert statistics == local.handle().statistics()
    assert (statistics.name, statistics.service_id) == ("busy", service.service_id)
    assert (statistics.link.state, statistics.link.connections, statistics.link.logins) == (
        "connected",
        1,
        1,
    )
    # two lists after the join, one reply
    assert statistics.outbox.ended_confirmed == statistics.outbox.written == 3
    assert statistics.outbox.queued == statistics.outbox.unconfirmed == 0
    assert statistics.lanes.waiting == statistics.lanes.shed == statistics.lanes.lanes == 0
    [(name, job)] = statistics.jobs
    assert (name, job.runs, job.failures) == ("tick", 2, 0)
    [store] = statistics.stores
    assert (store.where, store.records, store.broken) == ("memory", 1, None)
    assert statistics.failures == 1
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        statistics.failures = 0  # type: ignore[misc]


async def test_a_snapshot_does_not_change(local: Local) -> None:
    """What happens later is in the next one."""
    service = Busy()
    await local.start(service)
    before = service.statistics()
    message = MessageUp(
        channel_id=ChannelId("local-demo"), sender=ALICE, content=Content(text="wait")
    )
    deliver(service, message, message, message)
    await trio.testing.wait_all_tasks_blocked()
    after = service.statistics()
    assert (before.lanes.lanes, before.lanes.waiting) == (0, 0)
    assert (after.lanes.lanes, after.lanes.waiting) == (1, 2)


async def test_a_cut_is_counted(local: Local) -> None:
    """Each reconnect is a connection, a login and a gap."""
    service = Busy()
    await local.start(service)
    for _ in range(3):
        await local.drop_socket()
    link = service.statistics().link
    assert (link.connections, link.logins, link.gaps) == (4, 4, 3)
