"""What a page has copied."""

from __future__ import annotations

from playwright.async_api import Page


async def wait_copied(page: Page) -> str:
    """The text in the clipboard, as soon as there is any: a page writes to it some time after the click."""
    return str(
        await page.evaluate(
            """async () => {
                for (;;) {
                    const text = await navigator.clipboard.readText();
                    if (text) return text;
                    await new Promise((done) => setTimeout(done, 50));
                }
            }"""
        )
    )
