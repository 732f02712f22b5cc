"""``--host`` and ``--i-know``: who is let in, and what is said about it."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from moobius_trio.testing.commands import open_command, run_command

OTHER = "127.0.0.2"
"""An address of this machine that the platform treats as one of a network."""


@pytest.mark.parametrize("command", [("local",), ("demo",), ("dev", "service.py")])
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.20", "here.example"])  # noqa: S104
def test_an_address_that_others_can_reach_asks_for_a_word(
    tmp_path: Path, command: tuple[str, ...], host: str
) -> None:
    """One line that says what it means, exit 2, and nothing was begun."""
    ended = run_command(*command, "--host", host, "--port", "0", cwd=tmp_path)
    assert (ended.code, ended.output) == (2, "")
    (line,) = ended.errors.splitlines()
    assert "--i-know" in line
    assert "nothing is encrypted" in line
    assert list(tmp_path.iterdir()) == []


def test_a_relay_and_guests_do_not_go_together(tmp_path: Path) -> None:
    """Behind it everybody would seem to come from this machine."""
    options = ("--host", OTHER, "--i-know", "--faults", "reset=60")
    ended = run_command("local", *options, "--port", "0", cwd=tmp_path)
    assert (ended.code, len(ended.errors.splitlines())) == (2, 1)
    assert "do not go together" in ended.errors


def test_guests_come_in_by_what_is_printed(tmp_path: Path) -> None:
    """A warning, a link and an address for programs; in no file afterwards, and new each time."""
    tokens = []
    options = ("--host", OTHER, "--i-know", "--port", "0", "--state", "state", "--ready-json")
    for _ in range(2):
        with open_command("local", *options, cwd=tmp_path) as local:
            url = local.ready()["url"]
            outside = url.replace("127.0.0.1", OTHER)
            assert f"Warning   other machines can reach this platform at {outside}" in local.errors
            found = re.search(rf"{outside}/#token=(\S+)", local.errors)
            assert found is not None
            token = found[1]
            assert f"{outside}/token/{token}/" in local.errors
            with httpx.Client(trust_env=False) as http:
                assert http.get(f"{url}/local/bands").status_code == 200
                assert http.get(f"{outside}/local/bands").status_code == 403
                assert http.get(f"{outside}/token/{token}/local/bands").status_code == 200
                headers = {"X-Moobius-Token": token}
                assert http.post(f"{outside}/local/enter", headers=headers).status_code == 204
                assert http.get(f"{outside}/local/bands").status_code == 200
            assert local.stop().code == 0
        tokens.append(token)
    assert tokens[0] != tokens[1]
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert kept
    assert all(token.encode() not in kept for token in tokens)
