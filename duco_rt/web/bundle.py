"""The page's modules as one script, and its style sheets as one: an entry with all that it imports. Pure.

Each module becomes a function that gives what it exports under short keys, in the order in which they need each other;
what lies in a folder `vendor` stays an import. It knows the ways to import and export that the page uses:

    import { a, b as c } from './x.js';    import * as x from './x.js';
    export function f …    export class C …    export const k = …    export const { a, b } = …
    export { a, b };       export { a, b as c } from './x.js';

The sources are ordinary modules: without the bundle a browser loads them one by one.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from typing import NamedTuple

Read = Callable[[str], str]
"""The text of a file by its path below the page's folder."""

_IMPORT = re.compile(r"^import\s+(?:\{(?P<names>[^}]*)\}|\*\s+as\s+(?P<all>\w+))\s+from\s+'(?P<path>[^']+)';", re.M)
_FROM = re.compile(r"^export\s+\{(?P<names>[^}]*)\}\s+from\s+'(?P<path>[^']+)';", re.M)
_LIST = re.compile(r"^export\s+\{(?P<names>[^}]*)\};", re.M)
_DESTRUCTURED = re.compile(r"^export\s+(?=const\s+\{(?P<names>[^}]*)\}\s*=)", re.M)
_DECLARED = re.compile(r"^export\s+(?=(?:async\s+)?(?:function\*?|class|const)\s+(?P<names>\w+))", re.M)
_OTHER = re.compile(r"^(?:import|export)\b.*", re.M)
_SHEET = re.compile(r"""^@import\s+["'](?P<path>[^"']+)["'];\n?""", re.M)


class CannotBundleError(Exception):
    """A module says something in a way that is not known here; the message says which and what."""


def script(entry: str, read: Read) -> tuple[str, list[str]]:
    """One module of the entry and all that it imports, and the paths of the files in it.

    Raises CannotBundleError, and what `read` raises.
    """
    bundled = _Bundle(read)
    bundled.add(entry, ())
    imports = [f"import * as {module.name} from './{path}';\n" for path, module in bundled.vendored.items()]
    return "".join(imports + bundled.parts), list(bundled.done)


class _Module(NamedTuple):
    """A module that is bundled: the object that it gives, and the key of each name that it exports."""

    name: str
    keys: dict[str, str]

    def get(self, of: str) -> str:
        """An expression for what it exports."""
        return f"{self.name}.{self.keys.get(of, of)}"


class _Bundle:
    """The modules so far."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self.done: dict[str, _Module] = {}
        self.vendored: dict[str, _Module] = {}
        self.parts: list[str] = []

    def add(self, path: str, above: tuple[str, ...]) -> None:
        """Put a module after all that it needs."""
        if path in above:
            raise CannotBundleError(f"{path} imports itself: {' > '.join((*above, path))}")
        if path in self.done:
            return
        code, exports = self._module(path, (*above, path))
        module = self.done[path] = _Module(f"m{len(self.done)}", {to: f"e{i}" for i, to in enumerate(exports)})
        members = (f"{module.keys[to]}: {of}" for to, of in exports.items())
        self.parts.append(f"const {module.name} = (() => {{\n{code}\nreturn {{ {', '.join(members)} }};\n}})();\n")

    def _module(self, path: str, above: tuple[str, ...]) -> tuple[str, dict[str, str]]:
        """The code of a file without imports and exports, and an expression for each name that it exports."""
        heads: list[str] = []
        exports: dict[str, str] = {}

        def source(found: re.Match[str]) -> _Module:
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), found["path"]))
            if target.startswith("vendor/"):
                return self.vendored.setdefault(target, _Module(f"v{len(self.vendored)}", {}))
            self.add(target, above)
            return self.done[target]

        def imported(found: re.Match[str]) -> str:
            module = source(found)
            if found["all"] and module.keys:
                pairs = ", ".join(f"{name}: {module.get(name)}" for name in module.keys)
                heads.append(f"const {found['all']} = {{ {pairs} }};\n")
            elif found["all"]:
                heads.append(f"const {found['all']} = {module.name};\n")
            else:
                pairs = ", ".join(f"{module.keys.get(of, of)}: {to}" for of, to in _names(found["names"]))
                heads.append(f"const {{ {pairs} }} = {module.name};\n")
            return ""

        def passed_on(found: re.Match[str]) -> str:
            given = source(found)
            exports.update({to: given.get(of) for of, to in _names(found["names"])})
            return ""

        def listed(found: re.Match[str]) -> str:
            exports.update({to: of for of, to in _names(found["names"])})
            return ""

        def declared(found: re.Match[str]) -> str:
            exports.update({name: name for _, name in _names(found["names"])})
            return ""

        code = _FROM.sub(passed_on, _IMPORT.sub(imported, self._read(path)))
        code = _DECLARED.sub(declared, _DESTRUCTURED.sub(declared, _LIST.sub(listed, code)))
        if other := _OTHER.search(code):
            raise CannotBundleError(f"{path}: {other[0]!r} is no import or export that is known here")
        return "".join(heads) + code, exports


def _names(listed: str) -> list[tuple[str, str]]:
    """`a, b as c` as pairs of the name inside and outside."""
    pairs = (re.split(r" as |:", part) for part in listed.split(",") if part.strip())
    return [(pair[0].strip(), pair[-1].strip()) for pair in pairs]


def sheet(entry: str, read: Read) -> tuple[str, list[str]]:
    """A style sheet with those that it imports in their places, and the paths of the files in it."""
    paths = [entry]

    def inline(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(entry), found["path"]))
        paths.append(target)
        return read(target)

    return _SHEET.sub(inline, read(entry)), paths
