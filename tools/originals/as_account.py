"""The original's account: its password by code, its end, another one; and starts that fail."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

import httpx
import trio
from original import Refusal, open_original
from report import Report

from moobius_trio.network.tls import trusting

__all__ = ("ACCOUNT", "STARTS", "play_account", "play_starts")

ACCOUNT: Final = "moobius 1.8.0: its account"
STARTS: Final = "moobius 1.8.0: starts that fail"
TRIES: Final = 5
EMAIL: Final = "account@example.org"


async def play_account(report: Report, python: str, folder: Path, url: str, ca_file: Path) -> None:
    """All of it; the codes are those that the local platform shows, since it sends no mail."""

    async def code(purpose: str) -> str:
        async with httpx.AsyncClient(verify=trusting(ca_file), trust_env=False) as http:
            rows = (await http.get(f"{url}/local/codes")).json()["data"]
        [found] = [row for row in rows if (row["email"], row["purpose"]) == (EMAIL, purpose)]
        return str(found["code"])

    async with open_original(
        report, python, folder / "account", url, email=EMAIL, channels=[], service_mode=False
    ) as original:
        await original.event("on_start")
        async with report.step(ACCOUNT, "password reset by code", original.logged) as step:
            await original.call("http_api.request_password_reset_code")
            await original.call("http_api.reset_password_with_code", await code("new password"))
            await original.call("authenticate")
            step.came("the code, and a sign-in with the password set by it")
        async with report.step(ACCOUNT, "sign_out") as step:
            await original.call("sign_out")
            refusal = ""
            try:
                await original.call("fetch_popular_channels")
            except Refusal as exc:
                refusal = str(exc)
            original.logged()  # that very refusal
            assert "40100" in refusal, refusal
            step.came("the token is good no more")
        async with report.step(ACCOUNT, "delete_account, sign-up by code", original.logged) as step:
            await original.call("http_api.delete_account")
            await original.call("http_api.request_sign_up_code")
            await original.call("http_api.request_sign_up_code_again")
            await original.call("http_api.sign_up_with_code", await code("sign up"))
            await original.call("authenticate")
            step.came("an account of the same name, confirmed by the newest code")


async def play_starts(report: Report, python: str, folder: Path, url: str) -> None:
    """A wrong password, and an address without TLS; the account is that of ``play_account``."""
    start = partial(
        open_original, report, python, url=url, email=EMAIL, channels=[], service_mode=False
    )
    async with (
        start(folder=folder / "wrong", password="another one") as original,  # noqa: S106
        report.step(STARTS, "a wrong password ends it with an error's exit code"),
    ):
        code = await original.exit_code()
        assert code != 0, f"exit code {code}"
    async with (
        start(folder=folder / "plain", plain=True) as original,
        report.step(STARTS, "a ws:// address is connected to"),
    ):
        output = trio.Path(original.output)
        tries = 0
        while tries < TRIES:  # noqa: ASYNC110  # a file tells nobody that it has grown
            await trio.sleep(0.1)
            tries = (await output.read_text(encoding="utf-8")).count("Attempting to")
        with trio.move_on_after(0):
            await original.event("on_start")
            return
        raise AssertionError(f"not in {TRIES} tries")
