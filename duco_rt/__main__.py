"""`python -m duco_rt`: the command line. Exit codes: 0 done, 1 failed while running, 2 wrong arguments."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from duco_rt.errors import BadInput, ConfigError, Conflict, DucoError, NotFound


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments.insert(0, "run")
    args = _parser().parse_args(_joined(arguments))
    try:
        from duco_rt.cli import commands as cli
        from duco_rt.seeing.logs import escaped
    except ModuleNotFoundError as e:
        print(f"duco_rt: {e.name} is not installed here; `make run` installs into .venv", file=sys.stderr)
        return 1

    before = os.umask(0o077)  # what a command writes is its owner's alone, whatever the folder lets in
    try:
        return cli.COMMANDS[args.command](args)
    except (ConfigError, BadInput, Conflict, NotFound) as e:
        print(f"duco_rt: {escaped(str(e))}", file=sys.stderr)
        return 2
    except DucoError as e:
        print(f"duco_rt: {escaped(str(e))}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    finally:
        os.umask(before)


def _joined(arguments: Sequence[str]) -> list[str]:
    """`--from -2h` as `--from=-2h`: argparse takes the second word for an option."""
    joined: list[str] = []
    for word in arguments:
        if joined and joined[-1] in ("--from", "--to") and word[:1] == "-" and word[1:2].isdigit():
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


_FIRST = (
    "Works before the first run, too: in the default data directory, or in an empty folder that app.data_dir names."
    " Any other one is made by run, replay and restore alone."
)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as every other error."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"duco_rt: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m duco_rt",
        description="Real-time telemetry for working machines: from the CAN bus to the browser.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    common = _Parser(add_help=False)
    common.add_argument("--config", metavar="FILE", help="configuration; default config.toml of this folder, if any")
    common.add_argument(
        "--set",
        dest="overrides",
        metavar="SECTION.KEY=VALUE",
        action="append",
        default=[],
        help="override one key; may be repeated",
    )
    dbc = _Parser(add_help=False)
    dbc.add_argument("--dbc", metavar="[BUS=]FILE", action="append", default=[], help="a database; may be repeated")
    dbc.add_argument("--sources", metavar="0,3", help="J1939 source addresses whose fields are kept apart")

    run = commands.add_parser("run", parents=[common], help="start (what happens without a command)")
    run.add_argument("--roles", help="comma-separated: device, ingest, process, distribute, studio, metaapi")
    check = commands.add_parser("check", parents=[common], help="say what is wrong with the configuration")
    check.add_argument("--roles", help="as for run")
    decode = commands.add_parser("decode", parents=[dbc], help="decode a CAN log to JSON lines")
    decode.add_argument("log", metavar="LOG", help="candump, ASC, BLF, …; text ones may be .gz")
    decode.add_argument("--last", action="store_true", help="a line a second: the last value of every field")
    replay = commands.add_parser("replay", parents=[common, dbc], help="run, with a recording as the device's bus")
    replay.add_argument("log", metavar="LOG")
    replay.add_argument("--device", required=True, metavar="ID")
    replay.add_argument("--speed", type=float, default=1.0, metavar="X", help="recorded times are divided by it")
    reparse = commands.add_parser("reparse", parents=[common], help="read stored raw data again, as parsed today")
    reparse.add_argument("--device", required=True, metavar="ID")
    for name in ("from", "to"):
        text = "Unix ms, ISO time (local without offset), now, or before now: -90s, -30m, -2h, -7d"
        reparse.add_argument(f"--{name}", dest=f"{name}_", required=True, metavar="T", help=text)
    keep = commands.add_parser("backup", parents=[common], help="all that the data directory keeps, into one file")
    keep.add_argument("file", metavar="FILE.tar", help="written beside it first, and whole when it has that name")
    back = commands.add_parser("restore", parents=[common], help="bring in such a file")
    back.add_argument("file", metavar="FILE.tar")
    back.add_argument("--replace", action="store_true", help="move what is in the data directory aside first")
    _add_device(commands, common, dbc)
    _add_token(commands, common)
    _add_top(commands, common)
    return parser


def _add_device(commands: argparse._SubParsersAction[_Parser], common: _Parser, dbc: _Parser) -> None:
    device = commands.add_parser("device", help="devices that MetaAPI knows")
    actions = device.add_subparsers(dest="action", required=True, metavar="ACTION")
    about = "Add or replace a device and its parsing."
    text = about.lower().rstrip(".")
    add = actions.add_parser("add", parents=[common, dbc], help=text, description=f"{about} {_FIRST}")
    add.add_argument("id", metavar="ID")
    add.add_argument("--tenant", required=True)
    actions.add_parser("list", parents=[common], help="all devices")
    remove = actions.add_parser("remove", parents=[common], help="forget a device")
    remove.add_argument("id", metavar="ID")


def _add_top(commands: argparse._SubParsersAction[_Parser], common: _Parser) -> None:
    top = commands.add_parser("top", parents=[common], help="a running process in the terminal: rates, delays, queues")
    top.add_argument("--url", metavar="URL", help="of a process elsewhere; default: the one that holds app.data_dir")
    top.add_argument("--token-file", metavar="FILE", help="a token with the role monitor, where web.auth is not none")
    top.add_argument("--every", type=float, default=2.0, metavar="S", help="seconds between two looks; default 2")
    top.add_argument("--once", action="store_true", help="print it once, and end")


def _add_token(commands: argparse._SubParsersAction[_Parser], common: _Parser) -> None:
    token = commands.add_parser("token", help="who may use the system, where web.auth is not none")
    actions = token.add_subparsers(dest="action", required=True, metavar="ACTION")
    about = "Make a token; it is printed this once."
    text = about.lower().rstrip(".")
    add = actions.add_parser("add", parents=[common], help=text, description=f"{about} {_FIRST}")
    add.add_argument("name", metavar="NAME", help="whose it is")
    text = "a tenant, or '*' for all; may be repeated"
    add.add_argument("--tenant", dest="tenants", required=True, action="append", metavar="T", help=text)
    roles = ("viewer", "operator", "admin", "service", "monitor")
    add.add_argument("--role", required=True, choices=roles, help="service and monitor are roles in '*' alone")
    add.add_argument("--days", type=int, metavar="N", help="ends after so many days; default: when it is removed")
    found = actions.add_parser("list", parents=[common], help="all tokens, without their secrets")
    found.add_argument("--sessions", action="store_true", help="the browsers that are signed in instead")
    remove = actions.add_parser(
        "remove", parents=[common], help="take a token back, with its sessions; or end a session"
    )
    remove.add_argument("id", metavar="ID")


if __name__ == "__main__":
    sys.exit(main())
