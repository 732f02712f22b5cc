"""Runs the published SDK 1.8, unmodified, against the local platform, and tells what came of it.

``python tools/originals PYTHON``, where PYTHON is that of an environment which is changed for it:
the certificate authority of the platform is appended to its ``certifi`` bundle. ``nox -s
originals`` makes one. Exit code 1 where something else happens than is known.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import trio
from as_account import ACCOUNT, STARTS, play_account, play_starts
from as_service import play_service
from as_user import BAND, play_user, scene_name
from excepted import EXCEPTED
from original import trust
from report import Report
from service_scene import SCENE

from moobius_trio.logs import configure_logs
from moobius_trio.testing.commands import open_command

LIMIT_SECONDS = 240.0


async def play(report: Report, python: str, folder: Path, url: str, ca_file: Path) -> None:
    """Everything, within a limit that only a program that hangs reaches."""
    with trio.fail_after(LIMIT_SECONDS):
        with report.scene(SCENE):
            await play_service(report, python, folder, url, ca_file)
        for protocol in ("0.0.1", "1.8"):
            with report.scene(scene_name(protocol)):
                await play_user(report, python, folder, url, ca_file, protocol)
        with report.scene(ACCOUNT):
            await play_account(report, python, folder, url, ca_file)
        with report.scene(STARTS):
            await play_starts(report, python, folder, url)


def main() -> None:
    """Run it."""
    if len(sys.argv) != 2:
        sys.exit("usage: python tools/originals PYTHON")
    python = sys.argv[1]
    begun = time.monotonic()
    report = Report(EXCEPTED)
    with tempfile.TemporaryDirectory(prefix="mt-") as name:
        folder = Path(name)
        os.environ["XDG_RUNTIME_DIR"] = name
        state = folder / "platform"
        options = ("--tls", "--port", "0", "--band", BAND, "--state", state, "--ready-json")
        with open_command("local", *options, cwd=folder) as platform:
            url = platform.ready()["url"]
            ca_file = state / "tls" / "ca.pem"
            trust(python, ca_file)
            try:
                trio.run(partial(play, report, python, folder, url, ca_file))
            finally:
                print("\n".join(report.lines()))
            ended = platform.stop()
            if not report.good:
                print(f"\nThe platform's own words:\n{ended.errors}")
    print(f"{time.monotonic() - begun:.0f} s")
    sys.exit(0 if report.good else 1)


if __name__ == "__main__":
    configure_logs(form="console")
    main()
