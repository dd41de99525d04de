"""Scripts and style sheets keep their meaning when they are made short."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from duco_rt.app import static_folder
from duco_rt.web import bundle, minify
from tests.browser.page import chromium
from tests.needs import lacks, needs

RULES = """async texts => {
  const walk = rules => [...rules].map(rule => [
    rule.selectorText ?? rule.conditionText ?? rule.name, [...(rule.style ?? [])], walk(rule.cssRules ?? []),
  ]);
  return Promise.all(texts.map(async text => walk((await new CSSStyleSheet().replace(text)).cssRules)));
}"""
"""What the browser has read of sheets: selectors and the properties that it took; it leaves out what it cannot read."""

SCRIPTS = {
    "templates": "const q = true; say(`a  ${q ? `b  , c // 'd` : ''}  e`, `${ { b: '}  `' } . b }  x`);",
    "patterns": "const g = 2, x = 8; say('a/b'.split(/[/`'\"]/), x / g / 2, /`/.test('`'));",
    "class": "class A { #b = 1; static c = 2; get #d() { return this.#b + A.c; } get e() { return this.#d; } }"
    " say(new A().e);",
    "names": "const long = (first, second) => { const third = first ?? second; return { third, first }; };"
    " say(long(null, 3));",
    "spread": "const { a, ...rest } = { a: 1, b: 2, c: 3 }; say([...Object.entries(rest)], Math.max(...[1, a]));",
    "control": "let n = 0; outer: for (;;) {"
    " for (const i of [1, 2, 3]) { if (i === 2) continue outer; n += i; if (n > 3) break outer; } } say(n);",
    "lines": "let a = 1\nlet b = a\n++a\n;[a, b] = [b, a]\nsay(a, b)",
    "signs": "let a = 1, b = 2; say(a + ++b, a - -b, a++ + b, null ?? .5, undefined?.x === undefined);",
    "later": "async function* f() { yield* [1, 2]; } const all = []; for await (const n of f()) all.push(n); say(all);",
}


@pytest.mark.servers
@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_do_the_same(name: str) -> None:
    """Said by Node.js before and after; shorter after."""
    text = f"const say = (...all) => console.log(JSON.stringify(all)); // gone\n{SCRIPTS[name]}"
    short = minify.script(text)
    assert len(short) < len(text)
    assert said(short) == said(text) != ""


def said(text: str) -> str:
    """What a module says."""
    command = [str(needs("node")), "--input-type=module", "-e", text]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


FAULTY = "export function f(a) { const full = a.length > 0; const { x, y } = (full ? a : 3)[0]; return [full, x, y]; }"
"""What tdewolff-minify 2.24 makes wrong: it puts the second declaration before the first."""


def early_uses(text: str) -> list[str]:
    """Names that a declaration of a script uses before it declares them, and where."""
    command = [str(needs("node")), "--expose-internals", str(Path(__file__).with_name("early_use.js"))]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)
    if "Cannot find module" in done.stderr:
        lacks("Node.js with its parser", "take one of nodejs.org or Debian")
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


@pytest.mark.servers
def test_the_page_is_not_made_wrong() -> None:
    """The known fault of the minifier is seen where it is, and is not in what is sent."""
    assert early_uses(FAULTY) == []
    assert early_uses(minify.script(FAULTY)) != []
    folder = static_folder()
    assert folder is not None
    text, _ = bundle.script("main.js", lambda name: (folder / name).read_text("utf-8"))
    assert early_uses(text) == []
    short = minify.script(text)
    assert [short[int(use.split()[-1]) :][:120] for use in early_uses(short)] == []


def test_what_is_no_script_is_refused() -> None:
    """With an error that says where."""
    with pytest.raises(ValueError, match="line 1"):
        minify.script("const a = ;")


SHEETS = [
    ".a :hover , .a:hover > b { width : calc( 1px + 2 * (3px - 1px) ) ; } /* gone */",
    "@media ( width >= 390px ) and (prefers-reduced-motion : reduce) { .a { & .b { top : 1 } &:hover { top: 0 } } }",
    ":root { --a : light-dark( #ffffff , rgb(0 0 0 / 30%) ) ; --b: ; color: color-mix(in srgb, var(--a) 50%, red) }",
    ".a::before { content : \"  a ; b  \" ; margin : 0px 0.5em -0.5em ; background : url( 'data:image/png,a' ) }",
    "@container side ( min-width : 10px ) { a { color : red } } @media print { a { color : blue } }",
    "a:not( .b , :is( .c , .d ) ) , a + b ~ c { inset : auto 0 0 auto ; transform : translate( -50% , 1px ) }",
]


@pytest.mark.browser
async def test_sheets_mean_the_same() -> None:
    """The browser reads the same rules, of the page's sheets and of others."""
    folder = static_folder()
    ours = [file.read_text("utf-8") for file in sorted(folder.rglob("*.css"))] if folder else []
    texts = [*SHEETS, *(text for text in ours if not text.startswith("/* The page's looks"))]
    short = [minify.sheet(text) for text in texts]
    async with chromium() as browser:
        page = await browser.new_page()
        before, after = await page.evaluate(RULES, texts), await page.evaluate(RULES, short)
    for text, rules, short_rules in zip(texts, before, after, strict=True):
        assert rules == short_rules, text[:100]
        assert rules, text[:100]
    assert all(len(b) < len(a) for a, b in zip(texts, short, strict=True))
