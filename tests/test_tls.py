"""TLS contexts: what of the files is wrong is said with its key; old versions are not spoken."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from contextlib import nullcontext
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from duco_rt.config import Config, MetaStore, Web
from duco_rt.errors import ConfigError
from duco_rt.tls import check_certificates, client_context, is_tls, leaf_sha256, pinned, server_context
from tests.certificates import Certificates


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority."""
    return Certificates(tmp_path_factory.mktemp("tls"))


def test_none_and_both(made: Certificates) -> None:
    """Without files no TLS; with both TLS 1.2 and later. The leaf is the first certificate of the chain."""
    assert server_context(Web()) is None and leaf_sha256(Web()) == ""
    files = made.server("localhost")
    config = Web(cert_file=str(files.cert), key_file=str(files.key))
    context = server_context(config)
    assert context is not None and context.minimum_version == ssl.TLSVersion.TLSv1_2
    leaf = x509.load_pem_x509_certificates(files.cert.read_bytes())[0]
    assert leaf_sha256(config) == hashlib.sha256(leaf.public_bytes(Encoding.DER)).hexdigest()
    check_certificates(Config(web=config))


@pytest.mark.parametrize(
    ("cert", "key", "said"),
    [
        ("good.pem", "", "web.key_file = ''"),
        ("", "good.key", "web.cert_file = ''"),
        ("gone.pem", "good.key", "web.cert_file = {cert}: No such file"),
        ("good.pem", "gone.key", "web.key_file = {key}: No such file"),
        ("folder", "good.key", "web.cert_file = {cert}: Is a directory"),
        ("empty", "good.key", "web.cert_file = {cert}: no certificate in PEM"),
        ("good.key", "good.key", "web.cert_file = {cert}: no certificate in PEM"),
        ("noise.pem", "good.key", "web.cert_file = {cert}: no certificate in PEM"),
        ("good.pem", "empty", "web.key_file = {key}: no private key in PEM"),
        ("good.pem", "good.pem", "web.key_file = {key}: no private key in PEM"),
        ("good.pem", "other.key", "web.key_file = {key}: it is not the key of web.cert_file = {cert}"),
        ("good.pem", "locked.key", "web.key_file = {key}: no private key in PEM without a password"),
    ],
)
def test_files_that_cannot_be_used(made: Certificates, tmp_path: Path, cert: str, key: str, said: str) -> None:
    """The key of the configuration, the file, and what is wrong with it; nothing is asked on the terminal."""
    good, other = made.server("localhost"), Certificates(tmp_path / "o").server("localhost")
    locked = Certificates(tmp_path / "l").server("localhost", password=b"secret")
    named = {"good.pem": good.cert, "good.key": good.key, "other.key": other.key, "locked.key": locked.key}
    for name, file in named.items():
        (tmp_path / name).write_bytes(file.read_bytes())
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").touch()
    (tmp_path / "noise.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA*\n-----END CERTIFICATE-----\n")
    paths = [str(tmp_path / name) if name else "" for name in (cert, key)]
    config = Web(cert_file=paths[0], key_file=paths[1])
    with pytest.raises(ConfigError) as caught:
        check_certificates(Config(web=config))
    assert str(caught.value).startswith(said.format(cert=repr(paths[0]), key=repr(paths[1])))


def test_whom_a_client_trusts(made: Certificates, tmp_path: Path) -> None:
    """The system's authorities, or those of a file, which must be one."""
    assert client_context("", "meta.ca_file").verify_mode == ssl.CERT_REQUIRED
    assert len(client_context(str(made.ca), "meta.ca_file").get_ca_certs()) == 1
    (tmp_path / "noise").write_text("noise")
    for name in ("gone", "noise"):
        config = Config(meta=MetaStore(kind="http", url="https://x", ca_file=str(tmp_path / name)))
        with pytest.raises(ConfigError, match=rf"meta\.ca_file = '.*{name}': "):
            check_certificates(config)


def test_what_is_pinned() -> None:
    """One certificate, or as usual."""
    assert pinned("") is True
    assert not isinstance(pinned("ab" * 32), bool)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (Web(), False),
        (Web(public_url="http://a"), False),
        (Web(public_url="HTTPS://a"), True),
        (Web(cert_file="c", key_file="k"), True),
    ],
)
def test_whether_browsers_come_by_tls(config: Web, expected: bool) -> None:
    """By this server's certificate, or a proxy's."""
    assert is_tls(config) is expected


@pytest.mark.servers
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_versions(made: Certificates, version: ssl.TLSVersion) -> None:
    """1.2 and 1.3 are spoken, 1.1 is not."""
    files = made.server("localhost")
    context = server_context(Web(cert_file=str(files.cert), key_file=str(files.key)))
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    client = ssl.create_default_context(cafile=str(made.ca))
    client.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.warns(DeprecationWarning) if version is ssl.TLSVersion.TLSv1_1 else nullcontext():
        client.minimum_version = client.maximum_version = version
    port = server.sockets[0].getsockname()[1]
    try:
        opening = asyncio.open_connection("localhost", port, ssl=client)
        if version is ssl.TLSVersion.TLSv1_1:
            with pytest.raises(OSError):  # of the handshake, or that the server hung up
                await opening
        else:
            _, writer = await opening
            assert writer.get_extra_info("ssl_object").version() == version.name.replace("_", ".")
            writer.close()
    finally:
        server.close()
