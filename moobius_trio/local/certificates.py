"""A certificate authority of the local platform's own, and its certificate for this machine.

For clients that speak TLS and nothing else (docs/protocol/generation-1.md section 8). The
authority can vouch for this machine alone: its own certificate says so, and whoever trusts it
trusts no more than that. Nothing is served here.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import attrs
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from moobius_trio.errors import UsageError

__all__ = ("Certificates", "open_certificates")

FOLDER: Final = "tls"
AUTHORITY_DAYS: Final = 3650
AUTHORITY_LEFT: Final = timedelta(days=400)
"""An authority that ends sooner is replaced: it has to outlive what it signs."""

CERTIFICATE_DAYS: Final = 365
CERTIFICATE_LEFT: Final = timedelta(days=90)
"""A certificate that ends sooner is replaced when the platform starts."""

_NAMES: Final = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.IPAddress(ipaddress.ip_address("::1")),
)
_MAY_VOUCH_FOR: Final = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_network("127.0.0.0/8")),
    x509.IPAddress(ipaddress.ip_network("::1/128")),
)

_log = structlog.get_logger()


@attrs.frozen(kw_only=True)
class Certificates:
    """What a server needs, and what its clients do.

    Attributes:
        ca_file: the authority's certificate (PEM), for clients to trust; nothing in it is secret.
        context: for ``serve_app``.
    """

    ca_file: Path
    context: ssl.SSLContext


@attrs.frozen
class _Pair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def lasts(self, now: datetime, left: timedelta) -> bool:
        """Whether it is good now and will be for so long."""
        certificate = self.certificate
        begun = certificate.not_valid_before_utc <= now
        return begun and now + left < certificate.not_valid_after_utc

    def signed(self, by: _Pair) -> bool:
        """Whether the other one has vouched for this one."""
        try:
            self.certificate.verify_directly_issued_by(by.certificate)
        except Exception:
            # boundary: the library's several errors for names, keys and signatures that do not
            # fit mean one thing here, that another one has to be made
            return False
        return True


def open_certificates(state: Path, now: datetime) -> Certificates:
    """The authority and the certificate kept in a state folder, made where there are none.

    They lie in ``tls/``: ``ca.pem`` for clients, ``ca-key.pem`` and ``server.pem`` (0600). The
    certificate is for ``localhost``, 127.0.0.1 and ::1, and is made anew when less than 90 days
    are left; the authority lasts ten years, and clients have to be told of a new one. It reads
    and writes files, so it belongs into a thread.

    Args:
        state: a folder that is there and is the user's own.
        now: an aware time.

    Raises:
        UsageError: the files cannot be read or written.
    """
    folder = state / FOLDER
    ca_file, ca_key, server = (folder / name for name in ("ca.pem", "ca-key.pem", "server.pem"))
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        authority = _read(ca_file, ca_key)
        if authority is None or not authority.lasts(now, AUTHORITY_LEFT):
            authority = _make_authority(now)
            # The key first: a certificate whose key is another one's is found out by the next
            # start and replaced with it.
            _write(ca_key, authority.key_pem)
            _write(ca_file, authority.pem)
            _log.info("certificate authority made", ca_file=str(ca_file))
        own = _read(server, server)
        if own is None or not own.lasts(now, CERTIFICATE_LEFT) or not own.signed(authority):
            own = _make_certificate(authority, now)
            _write(server, own.pem + own.key_pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server)
    except (OSError, ValueError) as exc:
        words = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        raise UsageError(
            f"{folder}: the certificates cannot be used ({words}). Remove the folder for new ones."
        ) from None
    return Certificates(ca_file=ca_file, context=context)


def _read(certificate: Path, key: Path) -> _Pair | None:
    """What two files hold, which may be one; None if they are not there or do not belong together.

    Raises:
        OSError, ValueError: they are there, and are something else.
    """
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = load_pem_private_key(key.read_bytes(), password=None)
    except FileNotFoundError:
        return None
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{key.name} has a key of another kind")
    return _Pair(found, private) if found.public_key() == private.public_key() else None


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing, and from its first byte on for the user alone."""
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    temporary.replace(path)


def _make_authority(now: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    # With a number of its own: a client may come to trust several of them.
    name = _name(f"moobius_trio local platform {secrets.token_hex(4)}")
    usage = _key_usage(signs_certificates=True)
    builder = (
        _builder(now, AUTHORITY_DAYS, key)
        .subject_name(name)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.NameConstraints(_MAY_VOUCH_FOR, None), critical=True)
    )
    return _Pair(builder.sign(key, hashes.SHA256()), key)


def _make_certificate(authority: _Pair, now: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = (
        _builder(now, CERTIFICATE_DAYS, key)
        .subject_name(_name("localhost"))
        .issuer_name(issuer.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_NAMES), critical=False)
        .add_extension(issuer_key, critical=False)
    )
    return _Pair(builder.sign(authority.key, hashes.SHA256()), key)


def _builder(now: datetime, days: int, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    own_key = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .public_key(key.public_key())
        # Clocks differ, and containers have been seen a little behind.
        .not_valid_before(now.astimezone(UTC) - timedelta(hours=1))
        .not_valid_after(now.astimezone(UTC) + timedelta(days=days))
        .add_extension(own_key, critical=False)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
