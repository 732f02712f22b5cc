"""Services started as their users start them: a program in a folder of its own, with its files.

What is measured of them stands in the workloads.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from children import Child, Platform
from workload import Bench

__all__ = ("OURS", "bands", "open_service")

OURS: Final = "ours"
HERE: Final = Path(__file__).parent
SERVICE: Final = "33333333-3333-4333-8333-333333333333"


def bands(count: int) -> list[str]:
    """Ids of so many bands."""
    return [f"00000000-0000-4000-8000-{number:012}" for number in range(1, count + 1)]


@asynccontextmanager
async def open_service(
    bench: Bench, platform: Platform, client: str, channels: list[str], *options: str
) -> AsyncIterator[tuple[Child, float]]:
    """A service for the block, and the seconds from its start until its `on_start` was done.

    Both speak generation 1, with a service that the platform has already, over TLS.

    Args:
        client: ``ours``; anything else is the original.
    """
    ours = client == OURS
    folder = bench.new_folder()
    script = "service_ours.py" if ours else "service_original.py"
    for file in (script,) if ours else (script, "original_trust.py"):
        shutil.copy(HERE / file, folder)
    shutil.copy(bench.ca, folder / "ca.pem")
    settings: dict[str, object] = {
        "http_server_uri": f"{platform.http}/",
        "ws_server_uri": f"{platform.ws}/",
        "email": "bench@example.org",
        "password": "x",
        "service_id": SERVICE,
        "channels": channels,
    }
    if ours:
        settings |= {"protocol": "1.8", "ca_file": "ca.pem"}
    else:
        settings |= {"no_warn_cannot_save_service_id": True}
    (folder / "service.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "service.json").chmod(0o600)
    python = bench.ours if ours else bench.original
    began = time.perf_counter()
    argv = [str(python), str(folder / script), *options]
    async with bench.open_child(argv, folder=folder) as child:
        await child.hear()
        yield child, time.perf_counter() - began
