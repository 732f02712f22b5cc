"""No password and no token in anything a run leaves behind: output, log, files, errors."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import urllib.parse
from pathlib import Path

import attrs
import pytest

from moobius_trio.config import Settings
from moobius_trio.testing.scoreboard import note
from moobius_trio.types import ChannelId, Secret, ServiceId, ServiceLogin, Tokens, UserLogin

CANARY = 'canary "pass/word+ü=1'

RUN = """
import json, random, sys, time
from functools import partial
from pathlib import Path

import attrs
import trio

from moobius_trio import ApiError, MessageUp, MoobiusService, SignInRefused
from moobius_trio.cli.platform import open_served_platform
from moobius_trio.config import Settings
from moobius_trio.core.environment import Environment
from moobius_trio.local import Knobs
from moobius_trio.logs import configure_logs
from moobius_trio.types import ChannelId, Secret

folder, tokens_file, password = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]


class Clumsy(MoobiusService):
    async def on_spell(self, spell: object) -> None:
        secret = self.http_api.access_token
        held = self._live.settings
        if spell == "fail":
            raise RuntimeError(f"clumsy: {secret} {secret!r} {held!r} {secret.reveal()}")
        raise RuntimeError("nested") from ValueError(held.password.reveal())


async def main() -> None:
    configure_logs(level="debug")
    for name in ("stores", "other"):
        (folder / name).mkdir()
    async with open_served_platform(state=folder / "platform", port=0) as (platform, url):
        settings = Settings(
            http_server_uri=url + "/",
            ws_server_uri=url.replace("http", "ws", 1) + "/",
            email="someone@example.org",
            password=Secret(password),
            channels=(ChannelId("local-demo"),),
            log_level="debug",
            ops_port=0,
            path=folder / "service.json",
            logs=str(folder / "logs"),
        )
        tokens = set()
        async with trio.open_nursery() as nursery:
            service = Clumsy()
            service._environment = Environment(settings=settings, state=folder / "stores")
            handle = await nursery.start(service.serve)

            def note() -> None:
                account = service.http_api._account
                tokens.update(
                    token.reveal()
                    for token in (account._tokens.access, account._tokens.refresh)
                    if token is not None
                )

            note()
            for spell in ("fail", "chain"):
                handle.spell(spell)
            platform.cut()
            while handle.statistics().link.connections < 2:
                await trio.sleep(0.02)
            await service.http_api.renew()
            note()
            try:
                await service.http_api.bind_service_to_channel(handle.service_id, "nowhere")
            except ApiError as exc:
                print(exc, repr(exc))
            platform.knobs = attrs.evolve(platform.knobs, access_seconds=0.0)
            print(repr(service), handle, handle.statistics(), settings)
            wrong = Clumsy()
            wrong._environment = Environment(
                settings=attrs.evolve(settings, password=Secret(password + "!"), name="other"),
                state=folder / "other",
            )
            try:
                await nursery.start(wrong.serve)
            except SignInRefused as exc:
                print(exc, repr(exc))
            await handle.stop()
        tokens_file.write_text(json.dumps(sorted(tokens)))


trio.run(main)
"""


CRASH = """
import sys
import threading

import moobius_trio
from moobius_trio.logs import configure_logs, register_secrets
from moobius_trio.types import Secret

password = sys.argv[1]


def fail(password: str) -> None:
    raise LookupError(password)


async def main() -> None:
    configure_logs()
    register_secrets(Secret(password))
    thread = threading.Thread(target=fail, args=(password,), name="of the author")
    thread.start()
    thread.join()
    raise RuntimeError(f"clumsy: {password}") from ValueError({"password": password})


moobius_trio.run(main)
"""


def forms(secret: str) -> set[bytes]:
    """The ways a secret may be written."""
    raw = secret.encode()
    encoded = {
        base64.b64encode(b"x" * shift + raw)[shift + 1 : -4].strip(b"=") for shift in range(3)
    }
    return {
        raw,
        *encoded,
        urllib.parse.quote(secret, safe="").encode(),
        urllib.parse.quote_plus(secret).encode(),
        json.dumps(secret)[1:-1].encode(),
        repr(secret)[1:-1].encode(),
    }


def test_a_program_that_crashes_shows_no_secret(tmp_path: Path) -> None:
    """Python's own tracebacks, which no log has passed, are masked too, those of threads as well
    (F64, S1)."""
    script = tmp_path / "crash.py"
    script.write_text(CRASH, encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, str(script), CANARY],
        capture_output=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert ended.returncode == 1
    assert b"Exception in thread of the author:" in ended.stderr
    assert b"LookupError: ***" in ended.stderr
    assert b"RuntimeError: clumsy: ***" in ended.stderr
    assert [form for form in forms(CANARY) if form in ended.stdout + ended.stderr] == []


def test_a_run_with_failures_leaves_no_secret_behind(tmp_path: Path) -> None:
    """Password and tokens, plain, base64, URL- and JSON-escaped: nowhere in output or files.

    (F64, S1)
    """
    state, tokens_file = tmp_path / "state", tmp_path / "tokens"
    state.mkdir()
    script = tmp_path / "run.py"
    script.write_text(RUN, encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, str(script), str(state), str(tokens_file), CANARY],
        capture_output=True,
        check=False,
        timeout=120,
        cwd=state,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert ended.returncode == 0, ended.stderr.decode()
    assert b"clumsy" in ended.stderr, "the failures were not logged, so nothing was tested"
    tokens = json.loads(tokens_file.read_text())
    assert len(tokens) >= 3
    assert b"clumsy" in (state / "logs" / "error.log").read_bytes()
    places = {"stdout": ended.stdout, "stderr": ended.stderr}
    places |= {str(path): path.read_bytes() for path in state.rglob("*") if path.is_file()}
    found = [
        (name, form)
        for name, content in places.items()
        for secret in (CANARY, *tokens)
        for form in forms(secret)
        if form in content
    ]
    note("secrets in output and files", len(found))
    assert found == []


@pytest.mark.parametrize(
    "value",
    [
        Secret("canary"),
        Tokens(access=Secret("canary"), refresh=Secret("canary")),
        ServiceLogin(service_id=ServiceId("s"), access_token="canary"),
        UserLogin(access_token="canary"),
        Settings(
            http_server_uri="http://127.0.0.1/",
            ws_server_uri="ws://127.0.0.1/",
            email="someone@example.org",
            password=Secret("canary"),
            channels=(ChannelId("a"),),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_with_secrets_do_not_show_them(value: object) -> None:
    """Neither repr nor str nor a format of a value shows what is secret in it (F64, S1)."""
    assert attrs.has(type(value))
    for text in (repr(value), str(value), f"{value}", f"{value!a}"):
        assert "canary" not in text
