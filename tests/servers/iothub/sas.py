"""Azure's check of a SAS token, written apart from the package's making of one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from urllib.parse import parse_qs, quote_plus


def refusal(token: str, resource: str, secret: bytes, policy: str = "") -> str:
    """Why the token is no good for the resource, or nothing."""
    kind, _, text = token.partition(" ")
    fields = {name: values[0] for name, values in parse_qs(text).items()}
    if kind != "SharedAccessSignature" or not {"sr", "sig", "se"} <= set(fields):
        return "no SAS token"
    if fields["sr"].lower() != resource.lower() and not resource.lower().startswith(fields["sr"].lower() + "/"):
        return f"a token for {fields['sr']}, not for {resource}"
    if fields.get("skn", "") != policy:
        return f"a token of policy {fields.get('skn', '')!r}, not {policy!r}"
    if int(fields["se"]) <= time.time():
        return "an expired token"
    # what is signed is the resource as it stands in the token, encoded
    quoted = next(part[3:] for part in text.split("&") if part.startswith("sr="))
    for signed in (quoted, quote_plus(fields["sr"])):
        digest = hmac.new(secret, f"{signed}\n{fields['se']}".encode(), hashlib.sha256).digest()
        if hmac.compare_digest(base64.b64encode(digest).decode(), fields["sig"]):
            return ""
    return "a wrong signature"


def expires_s(token: str) -> int:
    """Unix time of its end."""
    return int(parse_qs(token.partition(" ")[2])["se"][0])
