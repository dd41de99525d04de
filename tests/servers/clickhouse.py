"""A ClickHouse server in a folder of its own; also one as old as Debian's (18.16)."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from xml.sax.saxutils import escape

from duco_rt.transports import store_sql
from tests.needs import needs
from tests.servers.server import HOST, Server, free_port

CONFIG = """<yandex>
  <logger><level>error</level><console>1</console></logger>
  <listen_host>{host}</listen_host> <tcp_port>{port}</tcp_port> <http_port>{http_port}</http_port> {tls}
  <path>{folder}/data/</path> <tmp_path>{folder}/tmp/</tmp_path> <user_files_path>{folder}/files/</user_files_path>
  <format_schema_path>{folder}/schemas/</format_schema_path> <users_config>{folder}/users.xml</users_config>
  <default_profile>default</default_profile> <default_database>default</default_database> <timezone>UTC</timezone>
  <mark_cache_size>67108864</mark_cache_size> <uncompressed_cache_size>0</uncompressed_cache_size>
  <max_concurrent_queries>50</max_concurrent_queries> <keep_alive_timeout>3</keep_alive_timeout>
</yandex>
"""

TLS = """<tcp_port_secure>{port}</tcp_port_secure>
  <openSSL><server>
    <certificateFile>{certificate}</certificateFile> <privateKeyFile>{key}</privateKeyFile>
    <verificationMode>none</verificationMode> <loadDefaultCAFile>false</loadDefaultCAFile>
  </server></openSSL>"""

USERS = """<yandex>
  <profiles><default>
    <max_memory_usage>2000000000</max_memory_usage> <max_threads>2</max_threads>
    <background_pool_size>2</background_pool_size> <background_schedule_pool_size>2</background_schedule_pool_size>
  </default></profiles>
  <quotas><default></default></quotas>
  <users>
    <{user}>
      <password>{password}</password> <networks><ip>::1</ip><ip>127.0.0.1</ip></networks>
      <profile>default</profile> <quota>default</quota>
    </{user}>
  </users>
</yandex>
"""


class ClickHouseServer(Server):
    """One user; `port` speaks the native protocol, `tls_port` the same over TLS where there is a certificate."""

    def __init__(
        self, folder: Path, user: str = "default", password: str = "", certificate: tuple[Path, Path] | None = None
    ) -> None:
        super().__init__(folder)
        self.user = user
        self.password = password
        self.http_port = free_port()
        self.tls_port = free_port() if certificate else 0
        self._tls = (
            TLS.format(port=self.tls_port, key=certificate[0], certificate=certificate[1]) if certificate else ""
        )

    @property
    def url(self) -> str:
        """Where the adapter finds it."""
        return f"clickhouse://{HOST}:{self.port}"

    def command(self) -> list[str]:
        """Both configuration files are written anew."""
        texts = {
            "config.xml": CONFIG.format(
                host=HOST, port=self.port, http_port=self.http_port, folder=self.folder, tls=self._tls
            ),
            "users.xml": USERS.format(user=self.user, password=escape(self.password)),
        }
        for name, text in texts.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        return [str(needs("clickhouse-server")), f"--config-file={self.folder / 'config.xml'}"]

    def answers(self) -> bool:
        """Whether it answers a query."""
        try:
            return super().answers() and self.query("SELECT 1") == "1\n"
        except OSError:
            return False

    def query(self, statement: str) -> str:
        """A statement's answer, tab separated."""
        who = urllib.parse.urlencode({"user": self.user, "password": self.password})
        try:
            with urllib.request.urlopen(
                f"http://{HOST}:{self.http_port}/?{who}", statement.encode(), timeout=30
            ) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()) from error

    def create_tables(self, database: str = store_sql.DATABASE) -> None:
        """The store's tables as a server before 20.4 can have them."""
        for statement in store_sql.ddl(full=False, database=database):
            self.query(statement)
