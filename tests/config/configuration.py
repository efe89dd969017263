"""A configuration in a directory, to be changed by a test."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from llmitm.config.document import Document
from llmitm.config.load import Loaded, load
from llmitm.config.problems import ConfigErrors
from llmitm.config.routes import Route

SECRETS = ("admin-canary", "openai-canary", "dev-canary", "other-canary")
NOW = datetime(2030, 1, 1, tzinfo=UTC)

type Parse = Callable[[str], Document]
type Check = Callable[[str], Any]


class Configuration:
    """Files in a directory, which is also the working directory, and an environment."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        names = ("ADMIN_TOKEN", "OPENAI_API_KEY", "DEV_KEY", "OTHER_KEY")
        self.env = {**dict(zip(names, SECRETS, strict=True)), "HOME": "/home/ava"}

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace the one occurrence of `old` in a file."""
        text = (self.directory / name).read_text()
        assert text.count(old) == 1
        self.write(name, text.replace(old, new))

    def load(self, now: datetime = NOW) -> Loaded:
        return load(Path("gateway.yaml"), self.env, now)

    def problems(self) -> list[str]:
        with pytest.raises(ConfigErrors) as caught:
            self.load()
        return [str(problem) for problem in caught.value.problems]

    def route(self, model: str) -> Route:
        """The route that the configuration has for a model."""
        route = self.load().policies.route_for(model)
        assert route is not None
        return route
