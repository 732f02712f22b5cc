"""Before the first event: sign in, have a service, take the bands.

The order is that of docs/protocol/generation-0.md section 4.1 without its two logins and its
sleep; the policies are those of section 4.2 as they were meant. No socket is opened here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import attrs
import structlog

from moobius_trio.config import (
    Settings,
    check_service_id_writable,
    clear_pending,
    read_pending,
    write_pending,
    write_service_id,
)
from moobius_trio.errors import ApiError, BandNotTaken, Unreachable
from moobius_trio.network.http import HttpApi
from moobius_trio.network.http.retry import ATTEMPTS
from moobius_trio.network.side_by_side import MOST_CALLS, side_by_side
from moobius_trio.types import ChannelId, RunSync, ServiceId, ServiceInfo

__all__ = ("BindResult", "have_service", "reaching", "take_bands")

log = structlog.get_logger()


@attrs.frozen(kw_only=True)
class BindResult:
    """What became of one configured band."""

    channel_id: ChannelId
    taken: bool
    reason: str = ""
    """Why it was not taken."""
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.channel_id}: {self.reason} ({self.remedy})"


@contextmanager
def reaching(address: str) -> Iterator[None]:
    """A start whose call gets no answer ends as one that cannot connect.

    Raises:
        Unreachable: in place of an `ApiError` without a reply.
    """
    try:
        yield
    except ApiError as exc:
        if not exc.unreachable:
            raise
        raise Unreachable(address, ATTEMPTS, str(exc)) from exc


async def have_service(
    http_api: HttpApi, settings: Settings, name: str, services: Sequence[ServiceInfo], run: RunSync
) -> ServiceId:
    """The configured service's id, or that of one made now and written to service.json.

    The ids known before are noted beside service.json first: a start that was killed between
    making and writing finds its service again instead of making a second one.

    Raises:
        ConfigError: service.json cannot be written; nothing was made.
    """
    path = settings.path
    if settings.service_id:
        if path is not None and await run(read_pending, path) is not None:
            await run(clear_pending, path)  # a start was killed right after it wrote the id
        return settings.service_id
    if path is None:
        return await http_api.create_service(name)
    await run(check_service_id_writable, path)
    pending = await run(read_pending, path)
    orphans = [
        info.service_id
        for info in services
        if pending is not None and info.service_id not in pending and not info.channel_ids
    ]
    if orphans:
        service_id = orphans[0]
    else:
        if pending is None:
            await run(write_pending, path, [info.service_id for info in services])
        service_id = await http_api.create_service(name)
    await run(write_service_id, path, service_id)
    await run(clear_pending, path)
    log.info("made a service and noted its id", service_id=service_id, file=str(path))
    return service_id


async def take_bands(
    http_api: HttpApi,
    service_id: ServiceId,
    channels: Sequence[ChannelId],
    services: Sequence[ServiceInfo],
    others: Literal["ignore", "unbind", "include"],
) -> list[ChannelId]:
    """Bind the configured bands, up to 32 side by side, and give those that were taken.

    Each that was not is one line in the log with its reason and remedy.

    Raises:
        BandNotTaken: none was taken.
    """
    holders = {
        channel_id: info.service_id
        for info in services
        if info.service_id != service_id
        for channel_id in info.channel_ids
    }

    known = any(info.service_id == service_id for info in services)
    doubt = "" if known else ", and service_id if you wrote it there"

    async def take(channel_id: ChannelId) -> BindResult:
        holder = holders.get(channel_id)
        try:
            if holder is not None and others != "ignore":
                await http_api.unbind_service_from_channel(holder, channel_id)
            if holder is not None and others != "include":
                return _held(channel_id, holder, others)
            await http_api.bind_service_to_channel(service_id, channel_id)
        except ApiError as exc:
            if exc.unreachable:
                raise
            return BindResult(
                channel_id=channel_id,
                taken=False,
                reason=f"refused: {exc.message}",
                remedy="check channels in service.json" + doubt,
            )
        return BindResult(channel_id=channel_id, taken=True)

    results = await side_by_side(take, list(dict.fromkeys(channels)), MOST_CALLS)
    failed = [result for result in results if not result.taken]
    if len(failed) == len(results):
        raise BandNotTaken([str(result) for result in failed] or ["channels is empty"])
    for result in failed:
        log.warning(
            "a band was not taken",
            band=result.channel_id,
            reason=result.reason,
            remedy=result.remedy,
        )
    return [result.channel_id for result in results if result.taken]


def _held(channel_id: ChannelId, holder: ServiceId, others: str) -> BindResult:
    if others == "unbind":
        return BindResult(
            channel_id=channel_id,
            taken=False,
            reason=f"service {holder} was unbound and the band left free, as others: unbind says",
            remedy="others: include takes it",
        )
    return BindResult(
        channel_id=channel_id,
        taken=False,
        reason=f"held by service {holder}",
        remedy="set others to include to take it over",
    )
