"""Addresses: joining, what is refused, and where files may go."""

from __future__ import annotations

import pytest

from moobius_trio.errors import AddressRefused, ApiError, ConfigError
from moobius_trio.network.http.address import (
    check_download_address,
    check_upload_address,
    parse_base_address,
)


@pytest.mark.parametrize(
    ("base", "joined"),
    [
        ("https://host.example", "https://host.example/auth/sign_in"),
        ("https://host.example/", "https://host.example/auth/sign_in"),
        ("https://host.example//", "https://host.example/auth/sign_in"),
        ("https://host.example/api/", "https://host.example/api/auth/sign_in"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/auth/sign_in"),
        ("http://[::1]:8000", "http://[::1]:8000/auth/sign_in"),
        ("http://localhost", "http://localhost/auth/sign_in"),
        ("HTTPS://Host.example", "HTTPS://Host.example/auth/sign_in"),
    ],
)
def test_exactly_one_slash_stands_between_base_and_path(base: str, joined: str) -> None:
    """A base address is joined to a path with one slash, however many it ends with."""
    assert parse_base_address(base).join("/auth/sign_in") == joined


@pytest.mark.parametrize(
    "base",
    [
        "",
        "host.example",
        "ftp://host.example",
        "https://",
        "https://host.example:port/",
        "https://host.example:99999/",
        "https://[::1/",
        "https://host.example/a b",
        "https://host.example/\n",
        "https://höst.example/",
        "https://alice:hunter2@host.example/",
        "https://host.example/?a=b",
        "https://host.example/#a",
        "http://host.example/",
        "http://10.0.0.1/",
        "http://localhost.example/",
        "http://127.0.0.1.example/",
    ],
)
def test_a_base_address_that_cannot_be_used_is_a_config_error(base: str) -> None:
    """What is no address, or would show tokens to the network, names the setting at once (S3)."""
    with pytest.raises(ConfigError) as caught:
        parse_base_address(base)
    assert caught.value.where == "http_server_uri"
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("base", "upload", "allowed"),
    [
        ("https://host.example", "https://bucket.example/", True),
        ("https://host.example", "http://bucket.example/", False),
        ("https://host.example", "http://127.0.0.1/bucket/", False),
        ("http://127.0.0.1:8000", "http://127.0.0.1:9000/bucket/", True),
        ("http://127.0.0.1:8000", "https://bucket.example/", True),
        ("http://127.0.0.1:8000", "http://bucket.example/", False),
        ("https://host.example", "https://user:word@bucket.example/", False),
        ("https://host.example", "file:///etc/passwd", False),
        ("https://host.example", "https://[", False),
        ("https://host.example", "https://bucket.example/\r\nX: y", False),
    ],
)
def test_files_go_to_https_or_stay_on_this_machine(base: str, upload: str, allowed: bool) -> None:
    """An upload address on another host is fine over https; plain http only within the machine."""
    address = parse_base_address(base)
    if allowed:
        check_upload_address(upload, address, "/file/upload")
    else:
        with pytest.raises(ApiError, match="/file/upload"):
            check_upload_address(upload, address, "/file/upload")


@pytest.mark.parametrize(
    ("base", "address", "reason"),
    [
        ("https://host.example", "https://files.example/a.png?signature=s", None),
        ("https://host.example", "https://files.example:8443/a", None),
        ("https://host.example", "https://93.184.216.34/a", None),
        ("https://host.example", "https://[2606:4700::1111]/a", None),
        ("https://10.0.0.5", "https://10.0.0.5:9000/bucket/a", None),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/bucket/a", None),
        ("http://127.0.0.1:8000", "http://localhost:9000/a", None),
        ("http://127.0.0.1:8000", "https://files.example/a", None),
        ("http://127.0.0.1:8000", "http://files.example/a", "not https"),
        ("http://127.0.0.1:8000", "https://169.254.169.254/latest", "inner network"),
        ("https://host.example", "http://files.example/a?signature=s", "not https"),
        ("https://host.example", "http://127.0.0.1/a", "not https"),
        ("https://host.example", "https://127.0.0.1/a", "inner network"),
        ("https://host.example", "https://localhost/a", "inner network"),
        ("https://host.example", "https://localhost./a", "inner network"),
        ("https://host.example", "https://admin.localhost/a", "inner network"),
        ("https://host.example", "https://10.0.0.5/a", "inner network"),
        ("https://host.example", "https://192.168.1.1/a", "inner network"),
        ("https://host.example", "https://[::1]/a", "inner network"),
        ("https://host.example", "https://[::ffff:10.0.0.5]/a", "inner network"),
        ("https://host.example", "https://[fe80::1]/a", "inner network"),
        ("https://host.example", "https://127.1/a", "inner network"),
        ("https://host.example", "https://2130706433/a", "inner network"),
        ("https://host.example", "https://0x7f000001/a", "inner network"),
        ("https://host.example", "https://user:word@files.example/a", "user name"),
        ("https://host.example", "file:///etc/passwd", "no address"),
        ("https://host.example", "ftp://files.example/a", "no address"),
        ("https://host.example", "/etc/passwd", "no address"),
        ("https://host.example", "https://[", "no address"),
        ("https://host.example", "https://files.example:port/", "no address"),
        ("https://host.example", "https://files.example/\r\nX: y", "no address"),
        ("https://host.example", "https://files.exämple/", "no address"),
        ("https://host.example", "", "no address"),
    ],
)
def test_what_a_message_leads_to_is_not_always_asked(
    base: str, address: str, reason: str | None
) -> None:
    """Who sends an address cannot have this machine or an inner network asked, nor over http."""
    platform = parse_base_address(base)
    if reason is None:
        check_download_address(address, platform)
        return
    with pytest.raises(AddressRefused) as caught:
        check_download_address(address, platform)
    assert reason in caught.value.reason
    for part in ("signature", "word", "passwd"):
        assert part not in str(caught.value)
