"""Carries out the steps of the Dockerfile, in order, below a folder: for where there is no Docker.

    python scripts/rehearse.py FOLDER

Every absolute path of an image is taken as one below FOLDER/STAGE. What needs root, and so can't
be done by hand, is named and skipped: it makes the user and gives it a directory. At the end the
image's command runs until its health check has passed, and is told to stop.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pip_settings import pip_settings, uv_settings

ROOT = Path(__file__).resolve().parent.parent
INSIDE = r"/(?:src|opt|app)\b"  # where the image keeps what is ours
NEEDS_ROOT = re.compile(r"\b(?:groupadd|useradd)\b")
# What says how to run an image, and nothing is done for.
NOTED = ("CMD", "ENTRYPOINT", "EXPOSE", "HEALTHCHECK", "LABEL", "USER", "VOLUME")
# What a container is given from outside. Ports of its own, as those of the image may be taken.
GIVEN = {"LLMITM_ADMIN_TOKEN": "rehearsal", "LLMITM_DEV_KEY": "sk-rehearsal-0123456789"}
HEALTHY_SECONDS = 60
STOP_SECONDS = 30


@dataclass
class Stage:
    """An image in the making: `root` stands for its /, `base` is what FROM names."""

    name: str
    base: str
    root: Path
    workdir: str = "/"
    env: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)  # HEALTHCHECK, ENTRYPOINT, CMD, USER

    def below(self, path: str) -> Path:
        """Where a path of the image is."""
        return self.root / str(Path(self.workdir) / path).lstrip("/")

    def moved(self, text: str) -> str:
        """The text with the image's absolute paths turned into those below `root`."""
        return re.sub(rf"(?<![\w.]){INSIDE}", lambda match: f"{self.root}{match[0]}", text)


def instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """Each instruction of a Dockerfile with its text in one line."""
    lines = (line for line in dockerfile.splitlines() if not line.lstrip().startswith("#"))
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, text = line.strip().partition(" ")
        if word:
            yield word, " ".join(text.split())


def ignored(path: str, patterns: list[str]) -> bool:
    """Whether .dockerignore keeps a file out of the build: its last line that matches decides."""
    verdict = False
    for pattern in patterns:
        bare = pattern.removeprefix("!").removeprefix("**/")
        anywhere = pattern.startswith("**/")
        parts = path.split("/")
        starts = range(len(parts)) if anywhere else (0,)
        tries = ("/".join(parts[a:b]) for a in starts for b in range(a + 1, len(parts) + 1))
        depth = bare.count("/")
        if any(one.count("/") == depth and fnmatch.fnmatchcase(one, bare) for one in tries):
            verdict = not pattern.startswith("!")
    return verdict


def context() -> list[str]:
    """The files that a build is given."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    patterns = (ROOT / ".dockerignore").read_text().split()
    names = [name for name in listed.splitlines() if (ROOT / name).is_file()]
    return [name for name in names if not ignored(name, patterns)]


def within(name: str, source: str) -> str | None:
    """A file's path below what COPY names; "." where it is that itself, None where it isn't."""
    path = Path(name)
    return str(path.relative_to(source)) if path.is_relative_to(source) else None


class Rehearsal:
    """Takes the instructions one by one."""

    def __init__(self, folder: Path, python: str) -> None:
        self.folder = folder
        self.python = python
        self.stages: dict[str, Stage] = {}
        self.skipped: list[str] = []

    @property
    def stage(self) -> Stage:
        return list(self.stages.values())[-1]

    def take(self, word: str, text: str) -> None:
        """Carry out one instruction. Raises CalledProcessError, or KeyError for an unknown one."""
        print(f"==> {word} {text}", flush=True)
        done = {
            "FROM": self._from,
            "WORKDIR": self._workdir,
            "ENV": self._env,
            "COPY": self._copy,
            "RUN": self._run,
        }
        if word in done:
            done[word](text)
        elif word in NOTED:
            self.stage.words[word] = text
        else:
            raise KeyError(word)

    def _from(self, text: str) -> None:
        base, _, name = text.partition(" AS ")
        name = name or "image"
        root = self.folder / name
        wanted = re.match(r"python:(\d+\.\d+)", base)
        version = subprocess.run(
            [self.python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        if not wanted or wanted[1] != version:
            raise ValueError(f"{base} is rehearsed with its Python, and this is {version}")
        bin_ = root / "usr/local/bin"
        bin_.mkdir(parents=True)
        for alias in ("python", "python3"):
            (bin_ / alias).symlink_to(self.python)
        self.stages[name] = Stage(name, base, root)

    def _workdir(self, text: str) -> None:
        self.stage.workdir = text
        self.stage.below(text).mkdir(parents=True, exist_ok=True)

    def _env(self, text: str) -> None:
        for pair in shlex.split(text):
            name, _, value = pair.partition("=")
            self.stage.env[name] = value.replace("$PATH", self._path())

    def _path(self) -> str:
        return f"{self.stage.root}/usr/local/bin:/usr/bin:/bin"

    def _copy(self, text: str) -> None:
        *sources, target = text.split()
        where = self.stage.below(target)
        if sources[0].startswith("--from="):
            origin = self.stages[sources[0].removeprefix("--from=")]
            shutil.copytree(origin.below(sources[1]), where, symlinks=True)
            self._relocate(origin, where)
            return
        for source in sources:
            for name in context():
                rest = within(name, source)
                if rest is not None:
                    alone = rest == "." and not target.endswith("/")
                    kept = Path(name).name if rest == "." else rest
                    place = where if alone else where / kept
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(ROOT / name, place)

    def _relocate(self, origin: Stage, where: Path) -> None:
        """An image has the same paths in both stages; here scripts need to be told the new ones."""
        for script in (where / "bin").iterdir():
            if script.is_file() and not script.is_symlink():
                text = script.read_bytes()
                script.write_bytes(
                    text.replace(os.fsencode(origin.root), os.fsencode(self.stage.root))
                )

    def _run(self, text: str) -> None:
        if NEEDS_ROOT.search(text):
            self.skipped.append(text)
            made = re.findall(r"install -d .*?(/\S+)", text)
            for path in made:
                self.stage.below(path).mkdir(parents=True)
            return
        self.shell(self.stage.moved(text))

    def shell(self, command: str) -> None:
        subprocess.run(
            ["sh", "-c", command], cwd=self.stage.below("."), env=self.environment(), check=True
        )

    def environment(self) -> dict[str, str]:
        """What a process of the image finds: nothing of ours but where packages come from."""
        ways = ("PIP_", "UV_", "SSL_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
        kept = {k: v for k, v in os.environ.items() if k.upper().startswith(ways)}
        kept |= uv_settings(pip_settings(self.python))
        own = {name: self.stage.moved(value) for name, value in self.stage.env.items()}
        home = {"HOME": str(self.folder), "LANG": "C.UTF-8"}
        return {"PATH": self._path(), **home, **kept, **own}

    def serve(self, ports: Mapping[str, str]) -> str:
        """Run the image's command until it is healthy, then end it; returns its output."""
        words = self.stage.words
        command = [*json.loads(words["ENTRYPOINT"]), *json.loads(words["CMD"])]
        env = {**self.environment(), **GIVEN, **ports}
        executable = shutil.which(command[0], path=env["PATH"])
        if executable is None:
            raise FileNotFoundError(command[0])
        with (self.folder / "output.log").open("wb") as log:
            process = subprocess.Popen(
                [executable, *command[1:]], cwd=self.stage.below("."), env=env, stdout=log,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
            try:
                self._await_healthy(process, env, ports)
            finally:
                process.send_signal(signal.SIGTERM)
                status = process.wait(STOP_SECONDS)
        output = (self.folder / "output.log").read_text()
        if status != 0:
            raise RuntimeError(f"it ended with {status}: {output}")
        return output

    def _await_healthy(
        self, process: subprocess.Popen[bytes], env: Mapping[str, str], ports: Mapping[str, str]
    ) -> None:
        check = json.loads(self.stage.words["HEALTHCHECK"].partition("CMD ")[2])
        check = [part.replace("4001", ports["METRICS_PORT"]) for part in check]
        check[0] = shutil.which(check[0], path=env["PATH"]) or check[0]
        deadline = time.monotonic() + HEALTHY_SECONDS
        while subprocess.run(check, env=env, capture_output=True, check=False).returncode:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "output.log").read_text())
            time.sleep(0.2)


def rehearse(folder: Path, python: str, ports: Mapping[str, str]) -> Rehearsal:
    """All of the Dockerfile in an empty folder, then its command."""
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty")
    rehearsal = Rehearsal(folder, python)
    for word, text in instructions((ROOT / "Dockerfile").read_text()):
        rehearsal.take(word, text)
    print(
        f"==> {rehearsal.stage.words['ENTRYPOINT']} until it is healthy, then SIGTERM", flush=True
    )
    print(rehearsal.serve(ports).rstrip(), flush=True)
    for step in rehearsal.skipped:
        print(f"==> skipped, for it needs root: {step}", flush=True)
    return rehearsal


def main(folder: str) -> None:
    who = f"user {os.getuid()}, group {os.getgid()}"
    print(f"==> in {folder} as {who}, with Python {sys.version.split()[0]}", flush=True)
    python = str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
    rehearse(Path(folder), python, {"HTTP_PORT": "4400", "METRICS_PORT": "4401"})
    print("==> done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
