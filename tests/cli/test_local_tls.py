"""``moobius-trio local --tls``: what it prints is what clients need."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from moobius_trio.cli.guests import check_host
from moobius_trio.errors import UsageError
from moobius_trio.network.tls import trusting
from moobius_trio.testing.commands import open_command


@pytest.mark.parametrize("more", [(), ("--faults", "delay=0.001")])
def test_the_service_json_that_is_printed_works(tmp_path: Path, more: tuple[str, ...]) -> None:
    """Addresses and CA file, also behind a relay with faults; one SIGINT ends it."""
    options = ("--tls", "--port", "0", "--state", "state", "--ready-json", *more)
    with open_command("local", *options, cwd=tmp_path) as local:
        url = local.ready()["url"]
        assert url.startswith("https://127.0.0.1:")
        said = local.errors
        ca_file = tmp_path / "state" / "tls" / "ca.pem"
        assert f"  CA file   {ca_file}\n" in said
        settings = json.loads(said[said.index("\n{") : said.index("\n}") + 2])
        assert settings["http_server_uri"] == f"{url}/"
        assert settings["ws_server_uri"] == url.replace("https", "wss") + "/"
        assert settings["ca_file"] == str(ca_file)
        with httpx.Client(verify=trusting(ca_file), trust_env=False) as http:
            assert http.get(url, headers={"Origin": url}).status_code == 200
        assert local.stop().code == 0


def test_other_machines_and_a_certificate_do_not_go_together() -> None:
    """It is for this machine's names; on loopback nothing is refused."""
    with pytest.raises(UsageError, match="tunnel"):
        check_host("192.168.1.20", i_know=True, tls=True)
    check_host("localhost", i_know=False, tls=True)
