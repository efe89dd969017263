"""The tree keeps its shape: sizes, layers, a test for every file, nothing of one machine in it."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
FILE_LINES = 400
FUNCTION_LINES = 60

# Files without a test file of their own name -> the test that covers them, and why it is there.
# A pattern may stand for several files; one that fits no file any more is an error.
COVERED_BY: dict[str, tuple[str, str]] = {}

# A module that few may import -> patterns of the files that may.
ONLY_IN = {
    "aiohttp": (
        "llmitm/engine/accepted.py",
        "llmitm/engine/edge.py",
        "llmitm/engine/upstream.py",
        "llmitm/engine/websocket.py",
        "llmitm/admin*",
        "llmitm/inspector/worker.py",
        "llmitm/simulator/*",
    ),
}
# Where modules may not be imported: pattern of the files -> the modules, and why not.
NEVER_IN = {
    "llmitm/policy/*": (
        """mitmproxy aiohttp asyncio asyncpg redis socket sqlite3 subprocess threading time
        llmitm.addons llmitm.admin llmitm.engine llmitm.simulator llmitm.stores""",
        "a policy decides from its arguments: no I/O, no clock",
    ),
    "llmitm/dialects/*": (
        "aiohttp redis asyncpg sqlite3 llmitm.engine llmitm.stores llmitm.admin llmitm.addons",
        "a dialect turns bytes into bytes",
    ),
    "llmitm/stores/*": ("aiohttp mitmproxy llmitm.engine llmitm.addons", "a store only stores"),
    "addons/*": ("addons llmitm.addons", "an addon is one feature: what two share is in llmitm"),
}

REGISTRIES = (
    r"pyp[i]\.org",
    r"python[h]osted\.org",
    r"registry\.npm[j]s\.(?:org|com)",
    r"(?:deb|security|ftp)\.debian\.org",
)
MACHINE_PATHS = (r"/wor[k]/\w", r"/roo[t]/")
ITSELF = "tests/test_structure.py"


@cache
def tracked() -> tuple[str, ...]:
    """Every file that is or would be committed, relative to the root."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    names = [name for name in listed.stdout.split("\0") if (ROOT / name).is_file()]
    if not names:
        pytest.fail("git lists no file: run the tests in a clone")
    return tuple(sorted(names))


def python_files(*folders: str) -> list[str]:
    """The tracked Python files under `folders`."""
    return [n for n in tracked() if n.endswith(".py") and n.split("/")[0] in folders]


def none_of(found: Iterable[object], why: str) -> None:
    """Fail with every one of `found`, a line each, and `why` it must not be."""
    lines = [f"  {one}" for one in found]
    if lines:
        pytest.fail("\n".join([why, *lines]), pytrace=False)


@cache
def tree(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text(), name)


def imports(name: str) -> Iterator[str]:
    """Every module that a file imports, absolute; `from a import b` gives a.b, which starts with a.

    What is imported for type checkers only counts too: a layer shows in the types first.
    """
    package = name.removesuffix(".py").split("/")[:-1]
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *filter(None, [node.module])])
            yield from (f"{start}.{alias.name}" for alias in node.names)


def within(module: str, names: Iterable[str]) -> bool:
    """Whether `module` is one of `names` or inside one."""
    return any(module == name or module.startswith(f"{name}.") for name in names)


def has_code(name: str) -> bool:
    """Whether a file defines a function or class: one that only gathers or lists needs no test."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return any(isinstance(node, kinds) for node in tree(name).body)


def mirror(name: str) -> str:
    """The test file of a source file: llmitm/policy/breaker.py -> tests/policy/test_breaker.py."""
    path = Path(name.removeprefix("llmitm/"))
    stem = path.parent.name if path.name == "__init__.py" else path.stem
    return str(Path("tests", path.parent, f"test_{stem}.py"))


def lone(name: str) -> bool:
    return mirror(name) not in tracked() and not any(fnmatch(name, p) for p in COVERED_BY)


def test_every_file_has_its_test() -> None:
    """Every file that defines something in llmitm/ or addons/ has the test file of its name."""
    sources = [n for n in python_files("llmitm", "addons") if has_code(n)]
    none_of((f"{n}: {mirror(n)}" for n in sources if lone(n)), "the test file is missing")


def test_exceptions_are_needed() -> None:
    """An exception to the rule above names a test that exists and a file that needs it."""
    sources = [n for n in python_files("llmitm", "addons") if mirror(n) not in tracked()]
    idle = [p for p in COVERED_BY if not any(fnmatch(n, p) for n in sources)]
    gone = [test for test, _ in COVERED_BY.values() if test not in tracked()]
    none_of([*idle, *gone], "these exceptions cover nothing")


def test_files_are_short() -> None:
    """No Python file is longer than 400 lines."""
    names = python_files("llmitm", "addons", "scripts", "benchmarks", "tests")
    sizes = {name: len((ROOT / name).read_text().splitlines()) for name in names}
    none_of((f"{n}: {size}" for n, size in sizes.items() if size > FILE_LINES), "too long")


def functions(name: str) -> Iterator[tuple[str, int]]:
    """Each function of a file, as file:line name, with its length in lines."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            yield f"{name}:{node.lineno} {node.name}", length


def test_functions_are_short() -> None:
    """No function is longer than 60 lines."""
    names = python_files("llmitm", "addons", "scripts", "benchmarks", "tests")
    sizes = dict(pair for name in names for pair in functions(name))
    none_of((f"{n}: {size}" for n, size in sizes.items() if size > FUNCTION_LINES), "too long")


@pytest.mark.parametrize("folder", NEVER_IN)
def test_layers(folder: str) -> None:
    """A layer imports nothing that lies above it."""
    banned, reason = NEVER_IN[folder]
    files = [n for n in python_files("llmitm", "addons") if fnmatch(n, folder)]
    assert files, f"nothing is at {folder}"
    names = banned.split()
    none_of((f"{n} imports {m}" for n in files for m in imports(n) if within(m, names)), reason)


@pytest.mark.parametrize("module", ONLY_IN)
def test_borders(module: str) -> None:
    """A library that may be replaced one day is imported in few places."""
    files = python_files("llmitm", "addons")
    users = [n for n in files if any(within(m, [module]) for m in imports(n))]
    wrong = [n for n in users if not any(fnmatch(n, p) for p in ONLY_IN[module])]
    none_of(wrong, f"{module} belongs in {', '.join(ONLY_IN[module])}")


def test_addons_import_only_what_they_may() -> None:
    """An addon imports llmitm, the standard library and what requirements/run.txt pins."""
    lock = (ROOT / "requirements/run.txt").read_text()
    pinned = {p.lower().replace("-", "_") for p in re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)}
    allowed = {"llmitm", "yaml", *pinned, *sys.stdlib_module_names}
    used = {(n, m.split(".")[0]) for n in python_files("addons") for m in imports(n)}
    none_of(sorted(f"{n} imports {m}" for n, m in used if m not in allowed), "not to be had")


def swallows(node: ast.AST) -> bool:
    """Whether `node` is an except clause that takes everything and does nothing."""
    if not isinstance(node, ast.ExceptHandler):
        return False
    broad = node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")
    idle = all(isinstance(s, ast.Pass) or ast.unparse(s) == "..." for s in node.body)
    return broad and idle


def test_no_exception_is_swallowed() -> None:
    """No file has `except Exception: pass` or the like."""
    names = python_files("llmitm", "addons", "scripts", "benchmarks", "tests")
    found = [f"{n}:{x.lineno}" for n in names for x in ast.walk(tree(n)) if swallows(x)]  # type: ignore[attr-defined]
    none_of(found, "a failure that nobody hears of")


def own_registries() -> list[str]:
    """The hosts and paths of the package indexes that this machine is set up with."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listing = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    urls = [urlsplit(url) for url in re.findall(r"\w+://[^\s']+", listing)]
    return [re.escape(url.hostname or url.path) for url in urls]


def test_nothing_names_a_registry_or_a_machine() -> None:
    """No file names the host of a package registry or a path of the machine it was written on."""
    pattern = re.compile("|".join([*REGISTRIES, *MACHINE_PATHS, *own_registries()]))
    found = []
    for name in tracked():
        text = (ROOT / name).read_bytes().decode(errors="replace")
        if name != ITSELF and (hit := pattern.search(text)):
            found.append(f"{name}: {hit[0]}")
    none_of(found, "this is true on one machine only")


PARSERS: dict[str, Callable[[str], object]] = {
    ".json": json.loads,
    ".yaml": lambda text: list(yaml.safe_load_all(text)),
    ".yml": lambda text: list(yaml.safe_load_all(text)),
}
# Helm's templates are YAML only once filled in; what tests break on purpose is theirs.
NOT_PARSED = ("deploy/*/templates/*", "tests/*")


def test_data_files_parse() -> None:
    """Every YAML and JSON file parses."""
    names = [n for n in tracked() if Path(n).suffix in PARSERS]
    for name in names:
        if not any(fnmatch(name, pattern) for pattern in NOT_PARSED):
            PARSERS[Path(name).suffix]((ROOT / name).read_text())


def makefile_targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    phony = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    defined = set(re.findall(r"^([a-z][a-z0-9-]*):(?!=)", makefile, re.MULTILINE))
    assert defined == {name for line in phony for name in line.split()}
    return defined


def test_make_help_lists_every_target() -> None:
    """`make help` has a line for each target, and for each that a document tells people to use."""
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = set(re.findall(r"^  ([a-z0-9-]+) +\S", shown.stdout, re.MULTILINE))
    pages = [(ROOT / n).read_text() for n in tracked() if n.endswith(".md")]
    told = {
        t
        for page in pages
        for t in re.findall(r"(?:`|^|\$ )make ([a-z][a-z0-9-]*)", page, re.MULTILINE)
    }
    none_of(makefile_targets() ^ listed, "make help and the Makefile differ in these")
    none_of(told - listed, "a document tells of these, and there is no such target")


def test_every_folder_of_the_package_is_installed() -> None:
    """Every folder of the package has an `__init__.py`, or the wheel would lack it."""
    folders = {str(Path(n).parent) for n in python_files("llmitm", "addons")}
    none_of((f for f in sorted(folders) if f"{f}/__init__.py" not in tracked()), "no __init__.py")
