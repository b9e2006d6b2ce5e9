"""Certificates for tests, made when they are needed; good for this machine and an hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOUR = timedelta(hours=1)


class Authority:
    """Issues certificates; its own is the file `certificate`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"test {folder.name}")])
        own = self._signed(self._name, self._key, [(x509.BasicConstraints(True, None), True)])
        self.certificate = folder / "authority.pem"
        self.certificate.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, ago: timedelta = timedelta()) -> tuple[Path, Path]:
        """Files of a new certificate, or one made some time ago, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        found = self._signed(
            subject, key, [(x509.SubjectAlternativeName([x509.DNSName(name)]), False)], ago
        )
        files = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        files[0].write_bytes(found.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return files

    def _signed(self, subject, key, extensions, ago: timedelta = timedelta()) -> x509.Certificate:
        now = datetime.now(UTC) - ago
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - HOUR)
            .not_valid_after(now + HOUR)
        )
        for extension, critical in extensions:
            made = made.add_extension(extension, critical)
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        made = made.add_extension(own, False).add_extension(issuer, False)
        return made.sign(self._key, hashes.SHA256())
