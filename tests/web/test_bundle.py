"""Modules and style sheets put together say what they said apart."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from duco_rt.app import static_folder
from duco_rt.web import bundle
from tests.needs import needs

MODULES = {
    "main.js": """import { twice as double, LIST } from './base/a.js';
import {
  Shape,
  kept,
} from './base/c.js';
import * as a from './base/a.js';
import { late } from './vendor/v.js';
const own = 'import { x } from "y"';
console.log(double(4), LIST.join(), new Shape().name, kept, a.LIST.length, own.length, late(3), x, y, w, v.late(1));
import { x, y, w } from './base/d.js';
import * as v from './vendor/v.js';
""",
    "base/a.js": """export { late } from '../vendor/v.js';
/** import in a comment */
export function twice(n) { return 2 * n; }
const hidden = [1, 2];
export const LIST = [...hidden, 3];
export async function* unused() {}
""",
    "base/c.js": """import { twice } from './a.js';
const hidden = 'another of this name';
export class Shape { get name() { return `${hidden} ${twice(2)}`; } }
const inner = 7;
export { inner as kept };
""",
    "base/d.js": """export { kept as x } from './c.js';
export const { y, z: w } = { y: 5, z: 6 };
""",
    "vendor/v.js": "let n = 0; const late = (by) => (n += by); export { late };\n",
}


def write(folder: Path, files: dict[str, str]) -> None:
    """The files, and a word that their scripts are modules."""
    for name, text in {**files, "package.json": '{"type": "module"}'}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def run(folder: Path) -> str:
    """What main.js says."""
    done = subprocess.run([str(needs("node")), "main.js"], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_same_is_said(tmp_path: Path) -> None:
    """Every way to import and export, each module once and in its order, names of one module hidden from the others."""
    write(tmp_path / "apart", MODULES)
    text, paths = bundle.script("main.js", MODULES.__getitem__)
    write(tmp_path / "bundled", {"main.js": text, "vendor/v.js": MODULES["vendor/v.js"]})
    said = run(tmp_path / "bundled")
    assert said == run(tmp_path / "apart")
    assert said.split() == ["8", "1,2,3", "another", "of", "this", "name", "4", "7", "3", "21", "3", "7", "5", "6", "4"]
    assert paths == ["base/a.js", "base/c.js", "base/d.js", "main.js"]


@pytest.mark.parametrize(
    "line",
    [
        "export default 3;",
        "import './a.js';",
        "export let n = 1;",
        "export * from './a.js';",
        "import d from './a.js';",
    ],
)
def test_what_it_does_not_know_is_said(line: str) -> None:
    """No module is bundled by halves."""
    files = {"main.js": f"{line}\n", "a.js": ""}
    with pytest.raises(bundle.CannotBundleError, match=r"main\.js: "):
        bundle.script("main.js", files.__getitem__)


def test_a_circle_is_said() -> None:
    """Modules that need each other have no order."""
    files = {
        "main.js": "import { a } from './a.js';\n",
        "a.js": "import { b } from './main.js';\nexport const a = 1;\n",
    }
    with pytest.raises(bundle.CannotBundleError, match=r"main\.js > a\.js > main\.js"):
        bundle.script("main.js", files.__getitem__)


def test_the_page_is_bundled() -> None:
    """Every module and every sheet of the page is in what index.html names, and nothing is left over."""
    folder = static_folder()
    assert folder is not None
    own = {file.relative_to(folder).as_posix() for file in folder.rglob("*.js") if "vendor" not in file.parts}
    text, paths = bundle.script("main.js", lambda name: (folder / name).read_text("utf-8"))
    assert set(paths) | {"early.js", "sign-in.js"} == own  # these are asked for by themselves
    assert "\nimport * as v0 from './vendor/" in f"\n{text}"
    sheets = {file.name for file in folder.glob("*.css")}
    assert (
        set(bundle.sheet("style.css", lambda name: (folder / name).read_text("utf-8"))[1]) | {"sign-in.css"} == sheets
    )


def test_sheets_stand_in_the_order_of_their_imports() -> None:
    """An imported sheet stands before what follows it."""
    files = {
        "style.css": '@import "a.css";\n@import "b.css";\np { margin: 0; }\n',
        "a.css": "a {}\n",
        "b.css": "b {}\n",
    }
    assert bundle.sheet("style.css", files.__getitem__) == ("a {}\nb {}\np { margin: 0; }\n", [*files])
