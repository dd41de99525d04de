"""Whose a parsing is, and who may read, use and change it. Pure."""

from __future__ import annotations

from typing import NamedTuple

from duco_rt.rights import Identity


class Ownership(NamedTuple):
    """`owner`: the tenant that it belongs to, None: nobody. `tenants`: those that have a device with it."""

    owner: str | None
    tenants: frozenset[str]

    def may_read(self, asker: Identity) -> bool:
        """Who watches its tenant, or one whose device has it; one that is nobody's and not used, everybody."""
        if asker.may("viewer") or not self._everybody:
            return True
        return any(asker.may("viewer", tenant) for tenant in self._everybody)

    def may_use(self, asker: Identity, tenant: str) -> bool:
        """Whether an admin of `tenant` may give it to a device there: it can be read there, or is the admin's to share.

        One that is nobody's and that others use says what their machines send: it is for them alone.
        """
        if asker.may("admin") or tenant in self._everybody or not self._everybody:
            return True
        return self.owner is not None and asker.may("admin", self.owner)

    def may_change(self, asker: Identity) -> bool:
        """Only its tenant, however many use it; one that is nobody's, who may everything everywhere."""
        return asker.may("admin") or (self.owner is not None and asker.may("admin", self.owner))

    @property
    def _everybody(self) -> frozenset[str]:
        return self.tenants if self.owner is None else self.tenants | {self.owner}


def tenants_administered(asker: Identity) -> list[str]:
    """The single tenants in which it is admin."""
    return sorted(tenant for tenant in asker.grants if asker.may("admin", tenant))
