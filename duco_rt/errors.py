"""Every error that the package raises on purpose.

DucoError
├── ConfigError          a key or a value of the configuration
├── BadInput             something that came from outside and cannot be read
│   ├── BadBody          a hub message's body
│   ├── BadParsing       a database text, with the line that is wrong
│   │   └── ReadingLate  one that took too long to be read
│   └── BadRequest       a request's argument
├── NotFound             an unknown device, parsing, group or hub
├── Denied               what a request may not do
│   ├── Unauthorized     nobody knows who it is from
│   └── Forbidden        its role is not enough
├── TooMany              more than a limit allows; `retry_s`: when it may be asked again
├── Conflict             a name that is taken, a data directory that another process holds
│   └── GroupChanged     a chart group that is not the one that somebody changed
└── TransportError       a hub, log, store, live, leases or meta that did not do its work
    ├── DeviceOffline    the device is known and not connected
    └── DeviceTimeout    the device did not answer in time
"""

from __future__ import annotations


class DucoError(Exception):
    """The root: whoever catches it catches all that the package raises on purpose."""


class ConfigError(DucoError):
    """A configuration key or value that cannot be used; the text names both."""


class BadInput(DucoError):
    """Input from outside that cannot be read."""


class BadBody(BadInput):
    """A hub message's body that is not of its declared format."""


class BadParsing(BadInput):
    """A database text that cannot be used; the text names file and line."""


class ReadingLate(BadParsing):
    """A reading that took too long, or whose process was ended: on a less busy machine it may succeed."""


class BadRequest(BadInput):
    """An argument of a request that is missing, malformed or out of range."""


class NotFound(DucoError):
    """Something that was named is not there."""


class Denied(DucoError):
    """A request that may not be done."""


class Unauthorized(Denied):
    """A request without credentials, or with such as are not known or over."""


class Forbidden(Denied):
    """A request whose sender is known and may not do it."""


class TooMany(DucoError):
    """More requests, connections or messages than a limit allows; after `retry_s` it may be asked again."""

    def __init__(self, message: str, retry_s: float) -> None:
        super().__init__(message)
        self.retry_s = retry_s


class Conflict(DucoError):
    """What was asked cannot be done while something else holds the place."""


class GroupChanged(Conflict):
    """A chart group is of another version than the one that was changed; `group` is the one that is there."""

    def __init__(self, message: str, group: dict[str, object]) -> None:
        super().__init__(message)
        self.group = group


class TransportError(DucoError):
    """A transport did not do its work."""


class DeviceOffline(TransportError):
    """The device is known, but not connected to the hub."""


class DeviceTimeout(TransportError):
    """The device did not answer a direct method in time."""


def drop_frames(error: BaseException | None) -> None:
    """Take from an error that is dealt with the frames that it passed. Pure.

    Where something that stands in one of them keeps the error, as a connection does, the two would stay until the next
    full garbage collection, which holds up everything for as long as there are many of them.
    """
    while error is not None:
        before = error.__context__
        error.__traceback__ = error.__context__ = error.__cause__ = None
        error = before
