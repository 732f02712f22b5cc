"""No storm of logins, whatever the platform answers: the whole service in simulated time (F15)."""

from __future__ import annotations

import attrs
import pytest
import trio

from moobius_trio import MoobiusService
from moobius_trio.core.run import ending
from moobius_trio.network.memory import MemoryFrameStream, memory_connector
from moobius_trio.network.streams import FrameStream
from moobius_trio.testing import Local
from moobius_trio.testing.core_rig import place
from moobius_trio.testing.scoreboard import note
from moobius_trio.testing.scripted_platform import ReceivedFrame, ScriptedPlatform
from moobius_trio.types import ServiceLogin

HOUR = 3600.0


def refusing(first: int) -> ScriptedPlatform:
    """A platform that lets nobody in from its ``first`` connection on."""

    def refuses(frame: ReceivedFrame) -> bool:
        return isinstance(frame.command, ServiceLogin) and frame.connection >= first

    return ScriptedPlatform(refuses=refuses)


async def serve_until_it_exits(
    local: Local, platform: ScriptedPlatform, *, cut_after: float | None = None
) -> tuple[int, str]:
    """Run a service as ``run`` does, and give the exit code and the line it says."""
    service: MoobiusService = MoobiusService()
    place(local, service)
    async with trio.open_nursery() as nursery:
        service._environment = attrs.evolve(
            service._environment, connect=memory_connector(nursery, platform.serve)
        )

        async def cut() -> None:
            if cut_after is not None:
                await trio.sleep(cut_after)
                await platform.cut()

        nursery.start_soon(cut)
        with pytest.raises(SystemExit) as caught, ending():
            await service.serve()
        nursery.cancel_scope.cancel()
    return int(str(caught.value.code)), str(caught.value)


async def test_refused_at_the_start_it_logs_in_three_times_and_exits_77(
    local: Local, capsys: pytest.CaptureFixture[str]
) -> None:
    """With one line that names the service, and no token."""
    platform = refusing(1)
    code, _ = await serve_until_it_exits(local, platform)
    note("logins, refused from the first on", len(platform.logins))
    assert (code, len(platform.logins)) == (77, 3)
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("LoginRejected: ")
    assert str(platform.logins[0].command.service_id) in line  # type: ignore[union-attr]
    assert platform.logins[0].command.access_token not in line  # type: ignore[union-attr]


async def test_refused_later_it_logs_in_ten_times_more_and_exits_77(local: Local) -> None:
    """Over an hour, never more than three times in a minute."""
    platform = refusing(2)
    code, _ = await serve_until_it_exits(local, platform, cut_after=60)
    refused = [login.at for login in platform.logins[1:]]
    note("refused logins after a good one", len(refused))
    assert (code, len(refused)) == (77, 10)
    assert HOUR <= refused[-1] - refused[0] <= HOUR + 60
    assert all(b - a >= 60 for a, b in zip(refused, refused[3:], strict=False))


@pytest.mark.parametrize("code", [1001, 1008, None])
@pytest.mark.parametrize("session", [0.5, 30.0])
async def test_200_cuts_in_a_row_are_no_refusals(
    local: Local, code: int | None, session: float
) -> None:
    """One login for each connection, soon or seldom as the ends ask for; it goes on (F10, F27)."""

    class Cutting(ScriptedPlatform):
        async def serve(self, stream: FrameStream) -> None:
            async with trio.open_nursery() as nursery:
                if self.connections < 200:
                    nursery.start_soon(self.cut_soon, stream)
                await super().serve(stream)

        async def cut_soon(self, stream: FrameStream) -> None:
            await trio.sleep(session)
            if code is not None:
                await stream.aclose(code, "cut")
            else:
                assert isinstance(stream, MemoryFrameStream)
                stream.cut()

    platform, service = Cutting(), MoobiusService()
    place(local, service)
    async with trio.open_nursery() as nursery:
        service._environment = attrs.evolve(
            service._environment, connect=memory_connector(nursery, platform.serve)
        )
        handle = await nursery.start(service.serve)
        await trio.sleep(40 * HOUR)
        link = handle.statistics().link
        assert link.state == "connected"
        assert link.refused_logins == 0
        assert link.logins == link.connections == 201 + link.rotations
        assert platform.most_open == 1
        await handle.stop()
        nursery.cancel_scope.cancel()
    logins = [login.at for login in platform.logins]
    in_an_hour = max(sum(at <= one < at + HOUR for one in logins) for at in logins)
    note(f"most logins in an hour, cut with {code} after {session} s", in_an_hour)
    if session < 10 and code is not None:
        assert in_an_hour <= (12 if code == 1008 else 20)
    else:
        assert in_an_hour <= 150
