"""What the commands print: lines for people on standard error, one for programs on standard out."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

from moobius_trio.core.handle import ServiceHandle

__all__ = ("ready_line", "say")


def say(*lines: str) -> None:
    """Print lines for a person; standard output stays free for the ready line."""
    for line in lines:
        sys.stderr.write(line + "\n")
    sys.stderr.flush()


def ready_line(url: str | None, handles: Sequence[ServiceHandle]) -> None:
    """Print the ready line of docs/architecture.md section 10."""
    services = [
        {"name": handle.name, "service_id": handle.service_id, "channels": list(handle.channels)}
        for handle in handles
    ]
    line = {"ready": True, "url": url, "pid": os.getpid(), "services": services}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
