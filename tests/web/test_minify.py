"""Scripts and style sheets keep their meaning when they are made short."""

from __future__ import annotations

import json
import subprocess

import pytest

from duco_rt.app import static_folder
from duco_rt.web import minify
from tests.browser.page import chromium
from tests.needs import lacks, needs

SAME_TREES = """
const { parse } = require('internal/deps/acorn/acorn/dist/acorn');
const plain = (key, value) => (key === 'start' || key === 'end' ? undefined
  : typeof value === 'bigint' ? String(value) : value);
const tree = (text) => JSON.stringify(parse(text, { ecmaVersion: 'latest', sourceType: 'module' }), plain);
const cases = JSON.parse(require('fs').readFileSync(0, 'utf8'));
console.log(JSON.stringify(cases.filter(([, before, after]) => tree(before) !== tree(after)).map(([name]) => name)));
"""
"""The parser inside of Node.js says what a script means."""

RULES = """async texts => {
  const all = async text => {
    const sheet = await new CSSStyleSheet().replace(text);
    return [...sheet.cssRules].map(rule => rule.cssText.replace(/\\s*,\\s*|(?<=\\()\\s+|\\s+(?=\\))/g, s => s.trim()));
  };
  return Promise.all(texts.map(all));
}"""
"""The rules of sheets; of a custom property the browser keeps the spaces as they were written."""


def differing(cases: list[tuple[str, str, str]]) -> list[str]:
    """Names of those whose script after is another program than the one before."""
    command = [str(needs("node")), "--expose-internals", "-e", SAME_TREES]
    done = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, check=False, timeout=60)
    if "Cannot find module" in done.stderr:
        lacks("Node.js with its parser", "take one of nodejs.org or Debian")
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


SCRIPTS = {
    "template": "const a = `x  y // z` ; // gone",
    "template in a template": "const a = `a  ${b ? `c  , d // 'e` : ''}  f` ; let  c = 1 ;",
    "template three deep": "const a = `${ `${ `  x  ` }  y ` }  z`;  go( a )",
    "braces in a template": "const a = `${ { b: '}  `' } . b }  ${ (() => { return `  }  `; })() }  c` ;",
    "comments in a template": "const a = `${ /* ` */ b // `\n }  c  , d` ;",
    "marks in a template": "const a = `\\`  ${'`  '}  \\${  $  {  ` ;",
    "tagged": "const a = html`<p>  ${ ok && html`<b>it's  one, two // three</b>` }  </p>` ;",
    "marks in a comment": "// don't `\nconst a = `b  c` ; /* ' ` */ const  d = `e  , f`",
    "marks in a text": "const a = '`' + \"'`\" + 'it\\'s `' ; const b = `c  , d`",
    "marks in a pattern": "const a = /[/`'\"]  x/g ; const b = `c  , d` ; x = (y) => /`/ . test( y )",
    "pattern after a word": "function f( ) { return /'`/ . test( `a  , b` ) }",
    "division": "const a = b / c / `d  , e` ; const f = (g) / 2 ; const h = i[0] / `'  ` / 3",
    "lines that end without semicolon": "let a = 1\nlet b = a\n++a\n;[a, b] = [b, a]\nreturns ( )",
    "signs": "x = a + ++b ; y = a - -b ; z = a++ + b ; q = a ?? b ; r = a ?. b ; s = a ? .5 : 1",
    "class": "class A { #b = 1 ; static c = 2 ; get  #d ( ) { return this . #b } ; async  *e ( ) { } }",
}


@pytest.mark.servers
def test_scripts_mean_the_same() -> None:
    """Of everything that a page may have; and spaces and comments are gone."""
    short = {name: minify.script(text) for name, text in SCRIPTS.items()}
    assert differing([(name, SCRIPTS[name], short[name]) for name in SCRIPTS]) == []
    for name, text in SCRIPTS.items():
        assert len(short[name]) < len(text), name
    assert short["template in a template"] == "const a=`a  ${b ? `c  , d // 'e` : ''}  f`;let c=1;"


def test_a_script_with_the_mark_of_a_template() -> None:
    """It is left alone."""
    text = "const a = '\ue0000' ; // `"
    assert minify.script(text) == text


@pytest.mark.servers
def test_the_pages_scripts_mean_the_same() -> None:
    """Every one of ours."""
    folder = static_folder()
    if folder is None:
        pytest.skip("the page's files are not there")
    texts = {file.name: file.read_text("utf-8") for file in folder.rglob("*.js") if "vendor" not in file.parts}
    assert "main.js" in texts
    assert differing([(name, text, minify.script(text)) for name, text in texts.items()]) == []


SHEETS = [
    ".a :hover , .a:hover > b { width : calc( 1px + 2 * (3px - 1px) ) ; } /* gone */",
    "@media ( width >= 390px ) and (prefers-reduced-motion : reduce) { .a { & .b { top : 1 } &:hover { top: 0 } } }",
    ":root { --a : light-dark( #ffffff , rgb(0 0 0 / 30%) ) ; --b: ; color: color-mix(in srgb, var(--a) 50%, red) }",
    ".a::before { content : \"  a ; b  \" ; margin : 0px 0.5em -0.5em ; background : url( 'data:image/png,<a  b>' ) }",
    "@container side ( min-width : 10px ) { a { color : red } } @media print { a { color : blue } }",
    "a:not( .b , :is( .c , .d ) ) , a + b ~ c { inset : auto 0 0 auto ; transform : translate( -50% , 1px ) }",
]


@pytest.mark.browser
async def test_sheets_mean_the_same() -> None:
    """The browser reads the same rules, of the page's sheets and of others."""
    folder = static_folder()
    ours = [file.read_text("utf-8") for file in sorted(folder.rglob("*.css"))] if folder else []
    texts = [*SHEETS, *ours]
    short = [minify.sheet(text) for text in texts]
    async with chromium() as browser:
        page = await browser.new_page()
        before, after = await page.evaluate(RULES, texts), await page.evaluate(RULES, short)
    for text, rules, short_rules in zip(texts, before, after, strict=True):
        assert rules == short_rules, text[:100]
        assert rules, text[:100]
    assert all(len(b) < len(a) for a, b in zip(texts, short, strict=True))
