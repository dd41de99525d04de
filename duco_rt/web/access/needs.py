"""What each route needs of who asks for it: the one table. Pure.

A route that is not in it is not served: `web/server.py` refuses to start with one.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from duco_rt.rights import Role

Scope = Literal["open", "all", "tenant", "query", "device", "anywhere"]
"""In whose data the role is needed.

`open`: nothing is needed. `all`: in all tenants. `tenant`: in the one of the path. `query`: in that of `?tenant=`, in
all where the query has none. `device`: in that of the device in the path. `anywhere`: in one tenant at least; the
handler looks at what the request is about (`access.door.identity_of`).
Whoever has no role at all in the tenant gets the 404 of something that is not there, with too low a role 403.
"""


class Need(NamedTuple):
    """The least role and where; `event`: the name in the audit log of a request to this route, empty for none."""

    role: Role = "viewer"
    scope: Scope = "open"
    event: str = ""


OPEN = Need()
_WATCH, _CHANGE = Need("viewer", "tenant"), Need("operator", "tenant", "group")
_SERVICE = Need("service", "all")

_STUDIO = "/api/resources/{tenant}/_common/datasets"
_META = "/api/metaapi"

NEEDS: dict[tuple[str, str], Need] = {
    # every process
    ("GET", "/healthz"): OPEN,
    ("GET", "/readyz"): OPEN,  # what is wrong is told in words to those who may read the metrics
    ("GET", "/metrics"): Need("monitor", "all"),
    ("GET", "/api/openapi.json"): OPEN,
    ("POST", "/api/backup"): Need("service", "all", "backup"),
    ("POST", "/api/restore"): Need("service", "all", "restore"),
    # the page and who is in front of it
    ("GET", "page"): OPEN,  # its files hold no data
    ("GET", "/sign-in"): OPEN,
    ("POST", "/sign-in"): Need(event="sign-in"),
    ("GET", "/sign-in/oidc"): OPEN,
    ("GET", "/sign-in/oidc/back"): Need(event="sign-in"),
    ("POST", "/sign-out"): Need(event="sign-out"),
    ("GET", "/api/session"): Need("viewer", "anywhere"),
    # studio
    ("GET", _STUDIO): _WATCH,
    ("GET", f"{_STUDIO}/{{chassisId}}/fields"): _WATCH,
    ("GET", f"{_STUDIO}/{{chassisId}}/history"): _WATCH,
    ("GET", f"{_STUDIO}/{{chassisId}}/parsing-health"): _WATCH,
    ("GET", f"{_STUDIO}/{{chassisId}}/commands"): _WATCH,
    ("GET", f"{_STUDIO}/{{chassisId}}/live"): _WATCH,
    ("GET", f"{_STUDIO}/_groups"): _WATCH,
    ("POST", f"{_STUDIO}/_groups"): _CHANGE,
    ("GET", f"{_STUDIO}/_groups/{{groupId}}"): _WATCH,
    ("PUT", f"{_STUDIO}/_groups/{{groupId}}"): _CHANGE,
    ("DELETE", f"{_STUDIO}/_groups/{{groupId}}"): _CHANGE,
    ("POST", "/api/reparse"): Need("admin", "anywhere", "reparse"),
    # the machine's command path, at studio and at MetaAPI
    ("POST", "/api/iothubs/{hub}/devices/{chassisId}/methods"): Need("operator", "device", "command"),
    # MetaAPI
    ("GET", f"{_META}/devices"): Need("viewer", "query"),
    ("GET", f"{_META}/presence"): Need("viewer", "query"),
    ("GET", f"{_META}/devices/{{chassisId}}"): Need("viewer", "device"),
    ("PUT", f"{_META}/devices/{{chassisId}}"): Need("admin", "anywhere", "device"),
    ("DELETE", f"{_META}/devices/{{chassisId}}"): Need("admin", "device", "device"),
    ("GET", f"{_META}/devices/{{chassisId}}/parsing"): Need("viewer", "device"),
    ("GET", f"{_META}/parsings/{{name}}"): Need("viewer", "anywhere"),
    ("PUT", f"{_META}/parsings/{{name}}"): Need("admin", "anywhere", "parsing"),
    ("GET", f"{_META}/groups"): Need("viewer", "query"),
    ("POST", f"{_META}/groups"): Need("operator", "query", "group"),
    ("GET", f"{_META}/groups/{{groupId}}"): Need("viewer", "query"),
    ("PUT", f"{_META}/groups/{{groupId}}"): Need("operator", "query", "group"),
    ("DELETE", f"{_META}/groups/{{groupId}}"): Need("operator", "query", "group"),
    ("GET", f"{_META}/tokens"): Need("admin", "query"),
    ("POST", f"{_META}/tokens"): Need("admin", "anywhere", "token"),
    ("DELETE", f"{_META}/tokens/{{id}}"): Need("admin", "anywhere", "token"),
    # MetaAPI, for the other processes
    ("GET", f"{_META}/credentials/{{id}}"): _SERVICE,
    ("POST", f"{_META}/credentials"): _SERVICE,
    ("DELETE", f"{_META}/credentials/{{id}}"): _SERVICE,
    ("GET", f"{_META}/parsings/{{name}}/tenants"): _SERVICE,
    ("GET", f"{_META}/devices/{{chassisId}}/before"): _SERVICE,
    ("GET", f"{_META}/devices/{{chassisId}}/commands"): Need("viewer", "device"),
    ("POST", f"{_META}/devices/{{chassisId}}/commands"): _SERVICE,
    ("PUT", f"{_META}/devices/{{chassisId}}/commands"): _SERVICE,
    ("GET", f"{_META}/devices/{{chassisId}}/acknowledged"): _SERVICE,
    ("PUT", f"{_META}/devices/{{chassisId}}/acknowledged"): _SERVICE,
    ("POST", f"{_META}/commands"): _SERVICE,
}
"""Method and path, as the route has it; `page` stands for the page's files."""


def need_of(method: str, path: str) -> Need | None:
    """What a route needs; None where the table does not have it."""
    return NEEDS.get(("GET" if method == "HEAD" else method, path))
