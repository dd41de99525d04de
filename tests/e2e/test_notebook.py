"""docs/notebook.ipynb runs from top to bottom."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.programs import REPO


@pytest.mark.timeout(180)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs, the plain calls and the awaited ones; the page is shown; a blocking cell loses nothing."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPO), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(REPO / "docs" / "notebook.ipynb", as_version=4)  # type: ignore[no-untyped-call]  # no annotations
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    asyncio.set_event_loop(asyncio.new_event_loop())
    client.execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("<iframe" in output.get("data", {}).get("text/html", "") for output in shown)
    assert any("'EngineSpeed': 800.0" in output.get("data", {}).get("text/plain", "") for output in shown)
