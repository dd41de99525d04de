"""The command line as somebody else's program runs it."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import NamedTuple

from tests.programs import REPO


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """The last line on stderr: the program's own words."""
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""


async def command(data_dir: Path, *words: str | Path, settings: tuple[str, ...] = ()) -> Done:
    """Run one to its end, with a data directory."""
    sets = [word for setting in (f"app.data_dir={data_dir}", *settings) for word in ("--set", setting)]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("DUCO_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "duco_rt", *map(str, words), *sets, cwd=data_dir.parent,
        env={**environ, "PYTHONPATH": str(REPO)}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode())
