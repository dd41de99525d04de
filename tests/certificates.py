"""Certificates for tests: an authority of their own, and servers that it signed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Files(NamedTuple):
    """A certificate and its key, in PEM."""

    cert: Path
    key: Path


class Certificates:
    """An authority in a folder; `ca` is its own certificate."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"test authority {folder.name}")])
        basic = x509.BasicConstraints(ca=True, path_length=None)
        builder = self._builder(self._name, self._key.public_key(), 30).add_extension(basic, critical=True)
        self._cert = builder.sign(self._key, hashes.SHA256())
        self.ca = self._write("ca.pem", self._cert.public_bytes(serialization.Encoding.PEM))

    def server(self, host: str, *, days: int = 30, password: bytes | None = None) -> Files:
        """A server's, for a host's name or address; with `days` below 0 it is over."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        try:
            alternative: x509.GeneralName = x509.IPAddress(ip_address(host))
        except ValueError:
            alternative = x509.DNSName(host)
        builder = self._builder(name, key.public_key(), days)
        names = x509.SubjectAlternativeName([alternative])
        cert = builder.add_extension(names, critical=False).sign(self._key, hashes.SHA256())
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if password is not None:
            encryption = serialization.BestAvailableEncryption(password)
        pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        stem = f"{host.replace(':', '_')}{days}"
        chain = cert.public_bytes(pem) + self._cert.public_bytes(pem)
        return Files(
            self._write(f"{stem}.pem", chain), self._write(f"{stem}.key", key.private_bytes(pem, form, encryption))
        )

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePublicKey, days: int) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=60))
            .not_valid_after(now + timedelta(days=days))
        )

    def _write(self, name: str, content: bytes) -> Path:
        file = self._folder / name
        file.write_bytes(content)
        return file
