from __future__ import annotations

import pytest

from llmitm.dialects import paths
from llmitm.seeds import nexus, table


def test_one_place_for_each_path() -> None:
    """A path is answered by a model or by the gateway, never by either."""
    assert not set(table.ENDPOINTS) & set(table.KNOWN)
    assert table.SHARED not in {*table.ENDPOINTS, *table.KNOWN}


@pytest.mark.parametrize("path", [*table.ENDPOINTS, *table.KNOWN])
def test_no_path_is_another_apis(path: str) -> None:
    """None of the paths means anything to OpenAI's, Anthropic's or Ollama's clients."""
    method = table.method_of(path)
    assert method is not None
    assert paths.recognise(method, path)[1] == "other"


def test_shared_path() -> None:
    """The path that is Ollama's too is ours only with our body, and takes what Ollama's takes."""
    assert table.endpoint_of("/api/generate", {"user_id": "u"}) is nexus.GENERATE
    assert table.endpoint_of("/api/generate", {"model": "m"}) is None
    assert table.endpoint_of("/api/generate") is None
    assert table.method_of("/api/generate") is None


@pytest.mark.parametrize("path", ["/", "/v1/chat/completions", "/llm", "/llm/generate/x"])
def test_other_paths(path: str) -> None:
    """Any other path is none of ours."""
    assert table.endpoint_of(path) is None
    assert table.method_of(path) is None
