"""What a driver says of a server's certificate that is not accepted, in words that name the key to set. Pure."""

from __future__ import annotations

import re

_REFUSED = re.compile(
    r"CERTIFICATE_VERIFY_FAILED\]? *(?:certificate verify failed: )?([^(\n]*?)\.?(?: *\(_ssl|[\n)]|\Z)"
)


def explained(text: str, section: str) -> str:
    """An error's text as it is, unless a certificate is what is wrong: then what it is, and what to do.

    `section`: of the configuration, whose `url` and `ca_file` are the address and the authority.
    """
    if "WRONG_VERSION_NUMBER" in text:
        return "the server speaks no TLS at this address"
    found = _REFUSED.search(text)
    if found is None:
        return text
    reason = found[1].strip()
    if "mismatch" in reason:
        what = f"the server's certificate is for another name than {section}'s address has"
    elif "expired" in reason:
        what = "the server's certificate is over (or the clock of this machine is wrong)"
    elif "not yet valid" in reason:
        what = "the server's certificate is not valid yet (or the clock of this machine is wrong)"
    else:
        what = f"no authority that is trusted here signed the server's certificate: {section}.ca_file names another"
    return f"{what} (certificate verify failed: {reason})"
