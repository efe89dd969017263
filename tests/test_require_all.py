"""In CI nothing may be skipped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).resolve().parent.parent / "conftest.py"
SKIPS = {
    "call": "import pytest\ndef test_a():\n    pytest.skip('no chromium')",
    "mark": "import pytest\n@pytest.mark.skip(reason='no chromium')\ndef test_a(): pass",
    "module": "import pytest\npytest.skip('no chromium', allow_module_level=True)",
    "fixture": "import pytest\n@pytest.fixture\ndef f(): pytest.skip('no chromium')\n"
    "def test_a(f): pass",
}


@pytest.mark.parametrize("kind", SKIPS)
@pytest.mark.parametrize(("wanted", "word"), [("", "skipped"), ("1", "but LLMITM_REQUIRE_ALL=1")])
def test_skips_fail_in_ci(tmp_path: Path, kind: str, wanted: str, word: str) -> None:
    """A test that skips for want of a program fails where all are required, with its reason."""
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text())
    (tmp_path / "test_it.py").write_text(SKIPS[kind])
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    env = {**os.environ, "LLMITM_REQUIRE_ALL": wanted, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-rs", str(tmp_path)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert "no chromium" in done.stdout
    assert word in done.stdout
    assert (done.returncode in (0, 5)) is (wanted == "")


def test_expected_failures_stay(tmp_path: Path) -> None:
    """A test that is marked as failing for a reason counts as before."""
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text())
    (tmp_path / "test_it.py").write_text(
        "import pytest\n@pytest.mark.xfail(reason='known')\ndef test_a(): assert False"
    )
    env = {**os.environ, "LLMITM_REQUIRE_ALL": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", str(tmp_path)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "1 xfailed" in done.stdout
