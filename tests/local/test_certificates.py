"""The local platform's certificate: kept, renewed, secret where it has to be, for this machine."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
import trio.testing
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from moobius_trio.errors import ConfigError, UsageError
from moobius_trio.local.certificates import open_certificates
from moobius_trio.network.tls import trusting

NOW = datetime.now(UTC)


async def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """A TLS handshake in memory, with a client that wants to reach ``name``."""
    ours, theirs = trio.testing.memory_stream_pair()
    calls = trio.SSLStream(ours, client, server_hostname=name)
    answers = trio.SSLStream(theirs, server, server_side=True)

    async def answer() -> None:
        try:
            await answers.do_handshake()
        except trio.BrokenResourceError:
            await trio.aclose_forcefully(answers)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        await calls.do_handshake()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
async def test_a_client_with_the_file_trusts_each_name_of_this_machine(
    tmp_path: Path, name: str
) -> None:
    """And the machine's own authorities still count."""
    made = open_certificates(tmp_path, NOW)
    client = trusting(made.ca_file)
    await shake_hands(made.context, client, name)
    assert client.cert_store_stats()["x509_ca"] > 1


async def test_a_client_without_the_file_does_not(tmp_path: Path) -> None:
    """Nobody else vouches for it."""
    made = open_certificates(tmp_path, NOW)
    with pytest.RaisesGroup(trio.BrokenResourceError, flatten_subgroups=True):
        await shake_hands(made.context, ssl.create_default_context(), "localhost")


def test_both_are_kept_and_the_keys_are_secret(tmp_path: Path) -> None:
    """A second start changes no file, and nobody else may read them."""
    open_certificates(tmp_path, NOW)
    folder = tmp_path / "tls"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(before) == ["ca-key.pem", "ca.pem", "server.pem"]
    assert b"PRIVATE" not in before["ca.pem"]
    assert folder.stat().st_mode & 0o777 == 0o700
    for name in ("ca-key.pem", "server.pem"):
        assert (folder / name).stat().st_mode & 0o777 == 0o600
    open_certificates(tmp_path, NOW + timedelta(days=100))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_certificate_is_renewed_before_it_ends(tmp_path: Path) -> None:
    """Under the same authority, so that no client notices."""
    open_certificates(tmp_path, NOW)
    ca, server = ((tmp_path / "tls" / name) for name in ("ca.pem", "server.pem"))
    authority, first = ca.read_bytes(), server.read_bytes()
    later = NOW + timedelta(days=300)
    open_certificates(tmp_path, later)
    assert ca.read_bytes() == authority
    assert server.read_bytes() != first
    ends = x509.load_pem_x509_certificate(server.read_bytes()).not_valid_after_utc
    assert ends > later + timedelta(days=300)


@pytest.mark.parametrize("gone", ["too old", "ca.pem", "ca-key.pem", "another's key"])
def test_an_authority_that_does_is_made_anew_with_its_certificate(
    tmp_path: Path, gone: str
) -> None:
    """Also when a crash has left half of it."""
    open_certificates(tmp_path, NOW)
    folder = tmp_path / "tls"
    authority, first = (folder / "ca.pem").read_bytes(), (folder / "server.pem").read_bytes()
    if gone == "another's key":
        key = ec.generate_private_key(ec.SECP256R1())
        text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "ca-key.pem").write_bytes(text)
    elif gone != "too old":
        (folder / gone).unlink()
    open_certificates(tmp_path, NOW + timedelta(days=3600 if gone == "too old" else 0))
    assert (folder / "ca.pem").read_bytes() != authority
    assert (folder / "server.pem").read_bytes() != first


@pytest.mark.parametrize("name", ["ca.pem", "ca-key.pem", "server.pem"])
def test_files_that_are_something_else_are_one_line(tmp_path: Path, name: str) -> None:
    """Nothing is thrown away that may be somebody's."""
    open_certificates(tmp_path, NOW)
    (tmp_path / "tls" / name).write_text("something else")
    with pytest.raises(UsageError, match="Remove the folder") as caught:
        open_certificates(tmp_path, NOW)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "tls" / name).read_text() == "something else"


@pytest.mark.parametrize(
    "other", [x509.DNSName("example.org"), x509.IPAddress(ipaddress.ip_address("192.0.2.1"))]
)
async def test_who_has_the_key_can_pass_for_no_other_machine(
    tmp_path: Path, other: x509.GeneralName
) -> None:
    """What the authority signs for another name is refused by those who trust it."""
    made = open_certificates(tmp_path, NOW)
    folder = tmp_path / "tls"
    authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    authority_key = load_pem_private_key((folder / "ca-key.pem").read_bytes(), password=None)
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    forged = (
        x509.CertificateBuilder()
        .serial_number(1)
        .public_key(key.public_key())
        .subject_name(x509.Name([]))
        .issuer_name(authority.subject)
        .not_valid_before(NOW - timedelta(hours=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([other]), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "forged.pem").write_bytes(forged.public_bytes(Encoding.PEM) + text)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "forged.pem")
    with pytest.RaisesGroup(trio.BrokenResourceError, flatten_subgroups=True) as caught:
        await shake_hands(server, trusting(made.ca_file), str(other.value))
    (error,) = caught.value.exceptions
    assert "permitted subtree violation" in str(error.__cause__)


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_ca_file_that_cannot_be_used_is_one_line(tmp_path: Path, content: str | None) -> None:
    """It names the key of service.json."""
    place = tmp_path / "ca.pem"
    if content is not None:
        place.write_text(content)
    with pytest.raises(ConfigError, match="ca_file") as caught:
        trusting(place)
    assert "\n" not in str(caught.value)
    assert str(place) in str(caught.value)
