"""A certificate authority of a test's own, made by the openssl program."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from tests.needs import needs


class Authority:
    """`ca.pem`, a server's certificate for localhost, and certificates of devices, in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._openssl = str(needs("openssl"))
        self.folder, self.ca_file = folder, folder / "ca.pem"
        if not self.ca_file.exists():
            self._run("req", "-x509", *self._new("ca"), "-subj", "/CN=test CA", "-days", "30", "-out", "ca.pem")
            self.certificate("server", "localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1")

    def certificate(self, name: str, common_name: str, extension: str = "") -> tuple[Path, Path]:
        """Certificate and key, signed by the authority."""
        self._run("req", *self._new(name), "-subj", f"/CN={common_name}", "-out", f"{name}.csr")
        more = []
        if extension:
            (self.folder / f"{name}.ext").write_text(extension)
            more = ["-extfile", f"{name}.ext"]
        signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", *more]
        self._run("x509", "-req", "-in", f"{name}.csr", *signed, "-out", f"{name}.pem")
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"

    def server(self) -> ssl.SSLContext:
        """A server that takes certificates of clients and does not demand them."""
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        tls.load_verify_locations(self.ca_file)
        tls.verify_mode = ssl.CERT_OPTIONAL
        return tls

    def _new(self, name: str) -> list[str]:
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key"]

    def _run(self, *arguments: str) -> None:
        subprocess.run([self._openssl, *arguments], cwd=self.folder, check=True, capture_output=True)
