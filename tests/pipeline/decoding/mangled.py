"""Database texts with mistakes, and the worker that reads thousands of them.

`python -m tests.pipeline.decoding.mangled FIRST COUNT STEP` reads them and prints a JSON line: what escaped, the
slowest one, and how much memory the process had after the first tenth and in the end.
"""

from __future__ import annotations

import json
import logging
import random
import re
import sys
import time
from contextlib import suppress
from pathlib import Path

from duco_rt.errors import BadParsing
from duco_rt.model import ParsingFile
from tests.database_texts import TEXTS
from tests.dbc_texts import random_dbc_text

MEMORY_MAX = 2 * 2**30

_DBC = Path(__file__).resolve().parents[3] / "duco_rt" / "dbc"
_SHIPPED = [path.read_text("utf-8") for path in sorted(_DBC.glob("*.dbc"))]
_TYPED = "0123456789-+M@|:m\" \n;.E<>/='\0\t&ü({[,"
_NUMBER = re.compile(r"\d+")


def mangled(seed: int) -> ParsingFile:
    """A text with one to eight mistakes: of four seven in ten are DBC."""
    rng = random.Random(seed)
    if rng.random() < 0.7:
        text = rng.choice(_SHIPPED) if rng.random() < 0.2 else random_dbc_text(rng)
        kind = "dbc"
    else:
        kind = rng.choice(sorted(TEXTS))
        text = TEXTS[kind]
    for _ in range(rng.choice([1, 1, 2, 3, 8])):
        text = _mistake(rng, text)
    return ParsingFile(f"mangled{seed}.{kind}", text, format=kind)


def _mistake(rng: random.Random, text: str) -> str:
    """One mistake: a letter, a number, a line or a piece."""
    at = rng.randrange(len(text) + 1)
    kind = rng.randrange(8)
    lines = text.split("\n")
    row = rng.randrange(len(lines))
    if kind == 0:
        return text[:at] + rng.choice(_TYPED) + text[at + rng.randint(0, 1) :]
    if kind == 1:
        return text[:at] + text[at + rng.randint(1, 20) :]
    if kind == 2:
        return "\n".join(lines[:row] + lines[row + 1 :])
    if kind == 3:
        return "\n".join([*lines[:row], lines[row], *lines[row:]])
    if kind == 4:
        other = rng.randrange(len(lines))
        lines[row], lines[other] = lines[other], lines[row]
        return "\n".join(lines)
    if kind == 5:
        return text[: max(1, at)]
    found = list(_NUMBER.finditer(text))
    if not found:
        return text
    number = rng.choice(found)
    new = rng.choice(["0", "-1", "1", "7", "64", "65", "255", "4095", "99999", "4294967295", "9" * 30, "1e400", "nan"])
    return text[: number.start()] + new + text[number.end() :]


def read(first: int, count: int, step: int) -> dict[str, object]:
    """Read texts first, first + step, …; what went wrong, and the figures."""
    from duco_rt.pipeline.decoding.describe import describe

    escaped: list[str] = []
    slowest, slowest_seed, good, early_kb = 0.0, 0, 0, 0
    for n in range(count):
        seed = first + n * step
        file = mangled(seed)
        begin = time.perf_counter()
        try:
            describe(file)
            good += 1
        except BadParsing as e:
            if not str(e).startswith(f"{file.name}: line "):
                escaped.append(f"{seed}: no line in {e}")
        except BaseException as e:
            escaped.append(f"{seed}: {type(e).__name__}: {e}")
        took = time.perf_counter() - begin
        if took > slowest:
            slowest, slowest_seed = took, seed
        if n == count // 10:
            early_kb = resident_kb()
    return {
        "escaped": escaped,
        "slowest_s": slowest,
        "slowest_seed": slowest_seed,
        "good": good,
        "early_kb": early_kb,
        "end_kb": resident_kb(),
    }


def resident_kb() -> int:
    """The memory that this process has now."""
    import psutil

    return int(psutil.Process().memory_info().rss) // 1024


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    print(json.dumps(read(*(int(word) for word in sys.argv[1:4]))))
