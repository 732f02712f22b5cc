"""Addresses: joining, what is refused, and where files may go."""

from __future__ import annotations

import pytest

from moobius_trio.errors import ApiError, ConfigError
from moobius_trio.network.http.address import check_upload_address, parse_base_address


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
