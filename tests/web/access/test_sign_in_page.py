"""The sign-in page as HTML: everything filled in, and nothing in it but text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request

from duco_rt.web.access.sign_in_page import SignInPage
from tests.web.access.sign_in import STATIC, said

EVIL = """</p><script>alert(1)</script> " onload='x' $issuer &amp;"""


def text_of(page: SignInPage, status: int = 200, message: str = "") -> str:
    """What is sent."""
    answer = page.answer(make_mocked_request("GET", "/sign-in", {"Host": "127.0.0.1"}), status, message)
    assert (answer.status, answer.content_type) == (status, "text/html")
    assert isinstance(answer.text, str)
    return answer.text


def test_a_token_alone() -> None:
    """Is all that is asked for, and nothing is said."""
    page = text_of(SignInPage(STATIC, None))
    assert said(page) == ""
    assert re.search(r'id="issuer"[^>]* hidden>', page)
    assert "<details open>" in page
    assert "$" not in page


@pytest.mark.parametrize(
    ("issuer", "shown"),
    [
        ("https://login.example.com/realms/duco", "login.example.com"),
        ("https://[::1]:8443", "::1"),
        ("https://<b>.example", "&lt;b&gt;.example"),
    ],
)
def test_an_issuer(issuer: str, shown: str) -> None:
    """Is named by its host; the token's form is there, and folded."""
    page = text_of(SignInPage(STATIC, issuer))
    assert f">Continue with {shown}</a>" in page
    assert not re.search(r'id="issuer"[^>]* hidden', page)
    assert "<details >" in page


def test_a_message_is_text(tmp_path: Path) -> None:
    """Whatever it holds, on the page and where there is none."""
    (tmp_path / "sign-in.html").write_text("<p>$message</p>$message_hidden", "utf-8")
    for static in (STATIC, tmp_path, None):
        page = text_of(SignInPage(static, None), 401, EVIL)
        assert "&lt;script&gt;alert(1)" in page
        assert "<script>alert" not in page
        assert "onload='x'" not in page
        assert "$issuer" in page  # no second filling in


def test_the_policy_lets_it_work() -> None:
    """No script or style stands in the page itself: these would not run."""
    page = (STATIC / "sign-in.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", page)
    named = re.findall(r'(?:href|src|action)="([^"]+)"', page)
    assert all(address.startswith("/") for address in named)  # it is shown at several addresses
    files = [address[1:] for address in named if "." in address]
    assert all((STATIC / file).is_file() for file in files)
