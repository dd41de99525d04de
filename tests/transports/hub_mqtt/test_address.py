"""Addresses, and TLS with a CA of our own."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from duco_rt.errors import ConfigError, TransportError
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_mqtt.address import address
from duco_rt.transports.hub_mqtt.hub import MqttHub
from tests.contracts.hub_adapters import begun, carried
from tests.needs import needs
from tests.servers.mosquitto import Mosquitto, Tls
from tests.transports.hub_flows import message, running


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a CA of our own, a server's certificate for localhost and a client's."""
    folder, openssl = tmp_path_factory.mktemp("tls"), str(needs("openssl"))

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True)

    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run(*new, "-x509", "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=test CA", "-days", "2")
    (folder / "names").write_text("subjectAltName=DNS:localhost")
    for name in ("server", "client"):
        run(*new, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        sign = ("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial")
        run(*sign, "-out", f"{name}.crt", "-days", "2", "-extfile", "names")
    return folder


@pytest.mark.servers
async def test_tls_with_a_ca_of_ones_own(tls: Path, tmp_path: Path) -> None:
    """Client certificates too; without the CA, or without a certificate, there is no connection."""
    files = Tls(tls / "server.crt", tls / "server.key", tls / "ca.crt", client=True)
    broker = Mosquitto(tmp_path, tls=files).start()
    try:
        ca, cert, key = (str(tls / name) for name in ("ca.crt", "client.crt", "client.key"))
        hub = MqttHub(broker.url, Metrics(), client_id="c", ca_file=ca, cert_file=cert, key_file=key)
        device = hub.device("D")
        async with carried(hub.run()), running(device), begun(hub, hub.stored()) as stored:
            await device.send(message(1, body=bytes(100_000)))
            assert (await stored.next()).message == message(1, body=bytes(100_000))
            assert (await hub.call("D", "m", {}, 5.0)).status == 200
        for wrong in (
            MqttHub(broker.url, Metrics(), client_id="c"),
            MqttHub(broker.url, Metrics(), client_id="c", ca_file=ca),
            MqttHub(broker.url.replace("localhost", "127.0.0.1"), Metrics(), client_id="c", ca_file=ca),
        ):
            with pytest.raises(TransportError, match=f":{broker.port}"):
                await asyncio.wait_for(anext(wrong.stored()), 3)
    finally:
        broker.kill()


@pytest.mark.parametrize("url", ["", "localhost", "http://localhost", "mqtt://", "mqtt://localhost:x"])
def test_an_address_that_is_none(url: str) -> None:
    """ConfigError names the key."""
    with pytest.raises(ConfigError, match=r"hub\.url"):
        address(url, "", "", "")


def test_files_that_are_not_there(tmp_path: Path) -> None:
    """ConfigError names the keys."""
    with pytest.raises(ConfigError, match=r"hub\.ca_file"):
        MqttHub("mqtts://localhost", Metrics(), client_id="c", ca_file=str(tmp_path / "none"))


def test_ports() -> None:
    """Each scheme has its own; one that is named wins."""
    assert address("mqtt://broker", "", "", "") == ("broker", 1883, None)
    assert address("mqtt://[::1]:99", "", "", "") == ("::1", 99, None)
    host, port, tls = address("mqtts://broker", "", "", "")
    assert (host, port) == ("broker", 8883)
    assert tls is not None
    assert tls.check_hostname
