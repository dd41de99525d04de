"""The project's style as a test. Each message says what to do."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.needs import lacks

REPO = Path(__file__).resolve().parent.parent
PACKAGE = REPO / "duco_rt"

PURE = {
    "duco_rt.body",
    "duco_rt.device.second",
    "duco_rt.errors",
    "duco_rt.model",
    "duco_rt.parts",
    "duco_rt.pipeline.decoding.dbc",
    "duco_rt.pipeline.decoding.plan",
    "duco_rt.pipeline.decoding.fields",
    "duco_rt.pipeline.decoding.j1939",
    "duco_rt.pipeline.decoding.signals",
    "duco_rt.transports.store_native",
    "duco_rt.transports.store_sql",
}
"""Modules that take data and the time; one whose docstring says "Pure." or "Pure;" counts too."""

IMPURE = {"aiohttp", "asyncio", "can", "logging", "psutil", "socket", "ssl", "subprocess", "threading"}
IMPURE |= {"time", "uvloop"}
"""Libraries of I/O, clocks and threads; the drivers below count too."""

DRIVERS = {
    "aiokafka": "kafka",
    "aiomqtt": "mqtt",
    "asynch": "clickhouse",
    "azure": "iothub",
    "chdb": "chdb",
    "paho": "mqtt",
    "redis": "redis",
}
"""A driver, and the word in the name of the files or folders of duco_rt/transports that may import it."""

WIRING = {"duco_rt.adapters", "duco_rt.adapters_meta"}
"""The modules that may name a concrete transport."""

CONTRACTS = {"duco_rt.transports", "duco_rt.transports.base", "duco_rt.transports.base_data"}
"""What of duco_rt.transports everybody may import."""

FILE_LINES_MAX, FILE_LINES_AIM = 300, 250
FUNCTION_LINES_MAX, FUNCTION_LINES_AIM = 50, 40

WITHOUT_MIRROR = {
    "duco_rt.transports.base": "Protocols alone; tests/contracts runs them on every adapter",
    "duco_rt.transports.base_data": "Protocols alone; tests/contracts runs them on every adapter",
    "duco_rt.transports.live_memory": "tests/contracts/test_live.py is all that it does",
}
"""Modules of a folder that have no test file of their own, and why."""


class Module(NamedTuple):
    """A Python file of the repository."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def shown(self) -> str:
        """The path as messages name it."""
        return self.path.relative_to(REPO).as_posix()

    @property
    def is_pure(self) -> bool:
        """Whether it is listed as pure or calls itself so."""
        return self.name in PURE or bool(re.search(r"\bPure[.;]", ast.get_docstring(self.tree) or ""))


@cache
def modules(folder: str) -> list[Module]:
    """Every Python file below a folder of the repository."""
    found = []
    for path in sorted((REPO / folder).rglob("*.py")):
        if "__pycache__" in path.parts:
            continue
        text = path.read_text(encoding="utf-8")
        name = ".".join(path.relative_to(REPO).with_suffix("").parts).removesuffix(".__init__")
        found.append(Module(name, path, text, ast.parse(text, str(path))))
    return found


def imports(module: Module) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a module imports, but for annotations alone."""
    names = {each.name for each in modules("duco_rt")}
    package = module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]
    waiting: list[ast.AST] = [module.tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            waiting.extend(node.orelse)
            continue
        waiting.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base]).rstrip(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield node.lineno, inner if inner in names else base


def check(problems: list[str]) -> None:
    """Fail with all of them, a line each."""
    if problems:
        pytest.fail("\n" + "\n".join(problems), pytrace=False)


def test_pure_modules_do_no_io() -> None:
    """A pure module imports no event loop, socket, clock or driver, and of the package only pure modules."""
    pure = {module.name for module in modules("duco_rt") if module.is_pure}
    problems = []
    for module in modules("duco_rt"):
        for line, name in imports(module) if module.is_pure else ():
            top = name.partition(".")[0]
            if top in IMPURE or top in DRIVERS:
                problems.append(f"{module.shown}:{line}: pure, imports {name}; pass data and the time in")
            elif top == "duco_rt" and name not in pure:
                problems.append(f"{module.shown}:{line}: pure, imports {name}, which is not; turn it round")
    check(problems)


def test_drivers_stay_in_their_transport() -> None:
    """A driver is imported by the files of its own transport and by nothing else."""
    check(
        [
            f"{module.shown}:{line}: imports {name}; move it into duco_rt/transports/*{DRIVERS[top]}*"
            for module in modules("duco_rt")
            for line, name in imports(module)
            if (top := name.partition(".")[0]) in DRIVERS
            and not (is_transport(module) and DRIVERS[top] in module.name.removeprefix("duco_rt.transports."))
        ]
    )


def is_transport(module: Module) -> bool:
    """Whether a module lies under duco_rt/transports."""
    return module.name.startswith("duco_rt.transports.")


def test_only_the_wiring_names_transports() -> None:
    """Everything but app, cli and __main__ knows the transports by their Protocols."""
    check(
        [
            f"{module.shown}:{line}: imports {name}; take a Protocol of transports.base and let app.py choose"
            for module in modules("duco_rt")
            for line, name in imports(module)
            if name.startswith("duco_rt.transports") and name not in CONTRACTS
            if module.name not in WIRING and not is_transport(module)
        ]
    )


def test_files_stay_short() -> None:
    """A file fits into a reader's head."""
    check(
        [
            f"{module.shown}: {lines} lines, over {FILE_LINES_MAX}; split it (aim: {FILE_LINES_AIM})"
            for module in [*modules("duco_rt"), *modules("tests")]
            if (lines := len(module.text.splitlines())) > FILE_LINES_MAX
        ]
    )


def test_functions_stay_short() -> None:
    """A function fits onto a screen; its docstring does not count."""
    problems = []
    for module in [*modules("duco_rt"), *modules("tests")]:
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            has_docstring = ast.get_docstring(node) is not None
            first = node.body[0]
            about = (first.end_lineno or 0) - first.lineno + 1 if has_docstring else 0
            lines = (node.end_lineno or 0) - node.lineno + 1 - about
            if lines > FUNCTION_LINES_MAX:
                problems.append(
                    f"{module.shown}:{node.lineno}: {node.name} has {lines} lines, over "
                    f"{FUNCTION_LINES_MAX}; name a step of it and move it out (aim: {FUNCTION_LINES_AIM})"
                )
    check(problems)


def test_tests_mirror_modules() -> None:
    """Every module of a folder has its test file; while one is still to be written, only CI fails."""
    missing = []
    for module in modules("duco_rt"):
        folder = module.path.parent
        if folder == PACKAGE or module.path.name == "__init__.py" or module.name in WITHOUT_MIRROR:
            continue
        mirror = REPO / "tests" / folder.relative_to(PACKAGE) / f"test_{module.path.name}"
        if not mirror.exists():
            missing.append(mirror.relative_to(REPO).as_posix())
    if missing:
        lacks("a test file for each module", f"write it, or add to WITHOUT_MIRROR: {', '.join(missing)}")


def test_exceptions_are_needed() -> None:
    """An exception whose reason went away goes away too."""
    names = {module.name for module in modules("duco_rt")}
    listed = {"PURE": PURE, "WITHOUT_MIRROR": set(WITHOUT_MIRROR)}
    check(
        [
            f"{name}: there is no such module; take it out of {place}"
            for place, those in listed.items()
            for name in sorted(those - names)
        ]
    )


@cache
def text_files() -> dict[str, str]:
    """Everything of the repository that is text, but code of others."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listing, cwd=REPO, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout: there is no list of the project's files")
    texts = {}
    for name in filter(None, done.stdout.decode().split("\0")):
        path = REPO / name
        if "vendor" in path.parts or not path.is_file() or path.is_symlink():
            continue
        content = path.read_bytes()
        if b"\0" not in content[:8192]:
            texts[name] = content.decode("utf-8", "replace")
    return texts


def find(pattern: str, names: str, advice: str) -> list[str]:
    """Where a pattern occurs in the files whose names match, with what to do about it."""
    return [
        f"{name}:{number}: {advice}"
        for name, text in text_files().items()
        if re.fullmatch(names, name)
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(pattern, line)
    ]


def test_requirements_name_no_address() -> None:
    """Where packages come from is the machine's choice."""
    address = r"https?://|^\s*--(?!hash)"
    check(find(address, r"requirements[\w-]*\.txt", "take the address out (make lock writes none)"))


def test_no_path_of_one_machine() -> None:
    """Nothing depends on where one developer's checkout lies."""
    pattern = r"(?<![\w./*-])/" + r"(?:work|root)(?:/|\b)(?!\.)"
    check(find(pattern, r".*", "an absolute path of one machine; make it relative to the repository"))
