"""The page's own certificate, with which it speaks HTTPS where nobody has given it another.

No authority has signed it, so a browser warns once and remembers who went on. It is therefore kept
until it runs out, or the machine has another address.
"""

import datetime
import ipaddress
import os
import socket
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from imagette.errors import ImagetteError
from imagette.files import cache_folder, make_folder, replacing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, GeneralName

_VALID = datetime.timedelta(days=90)
_LEFT = datetime.timedelta(days=7)  # one that has less is made anew, so that none ends in a lesson
_CLOCKS_DIFFER = datetime.timedelta(days=1)


def own_certificate(names: Iterable[str]) -> Path:
    """A certificate for these names, with its private key; made where there is none yet.

    Args:
        names: host names and IP addresses, at which the page is found.

    Returns:
        A PEM file with both, which only its owner can read. (On Windows: whoever can read the
        user's folder for caches.)

    Raises:
        ImagetteError: what makes certificates is not installed, or there is no place for it.
    """
    try:
        import cryptography  # noqa: F401  # its absence is told here
    except ModuleNotFoundError as error:
        raise ImagetteError(
            "HTTPS needs the package cryptography, which is not installed.",
            "Install it with `pip install 'imagette[webapp]'`, or leave --https out.",
        ) from error
    path = cache_folder() / "https" / "certificate.pem"
    wanted = set(names)
    if not _can_go_on(path, wanted):
        _write(path, _make(wanted))
    return path


def _can_go_on(path: Path, names: set[str]) -> bool:
    """Whether the certificate of before is for these names, lasts, and is its owner's alone."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            return False
        pem = path.read_bytes()
        certificate = x509.load_pem_x509_certificate(pem)
        key = load_pem_private_key(pem, None)
        known = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):  # none, or not what was written
        return False
    now = datetime.datetime.now(datetime.UTC)
    return (
        names <= {str(one.value) for one in known}
        and certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - _LEFT
        and certificate.public_key() == key.public_key()
    )


def _make(names: set[str]) -> bytes:
    """A certificate and its private key, as PEM."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = generate_private_key(SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + _sign(names, key).public_bytes(Encoding.PEM)


def _sign(names: set[str], key: "EllipticCurvePrivateKey") -> "Certificate":
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    now = datetime.datetime.now(datetime.UTC)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Imagette"),
            x509.NameAttribute(NameOID.COMMON_NAME, socket.gethostname()[:64] or "Imagette"),
        ]
    )
    usage = x509.KeyUsage(True, *[False] * 8)  # to sign what opens a connection, and nothing else
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName(map(_general_name, sorted(names))), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(usage, True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .sign(key, SHA256())
    )


def _general_name(name: str) -> "GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write(path: Path, pem: bytes) -> None:
    try:
        make_folder(path.parent)
        path.parent.chmod(0o700)
        with replacing(path) as temporary:
            # Never readable by others, not even before its rights are set.
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(pem)
    except (OSError, ImagetteError) as error:
        raise ImagetteError(
            f"There is no place for the page's certificate: {path} cannot be written.",
            "Name a folder that you may write to in the environment: IMAGETTE_CACHE_DIR.",
        ) from error
