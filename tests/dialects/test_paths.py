import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.dialects import paths

CLAUDE = {"anthropic-version": "2023-06-01"}

KINDS = [
    ("POST", "/v1/chat/completions", {}, "openai", "chat"),
    ("POST", "/v1/chat/completions?api-version=1", {}, "openai", "chat"),
    ("POST", "/v1/chat/completions/", {}, "openai", "chat"),
    ("POST", "/openai/v1/chat/completions", {}, "openai", "chat"),
    ("GET", "/v1/chat/completions", {}, "openai", "other"),
    ("POST", "/v1/chat/completions", CLAUDE, "openai", "chat"),
    ("POST", "/v1/completions", {}, "openai", "completions"),
    ("POST", "/v1/embeddings", {}, "openai", "embeddings"),
    ("POST", "/v1/responses", {}, "openai", "responses"),
    ("POST", "/v1/responses/compact?beta=true", {}, "openai", "compact"),
    ("POST", "/v1/responses/input_tokens", {}, "openai", "count_tokens"),
    ("POST", "/v1/responses/resp_1/cancel", {}, "openai", "other"),
    ("GET", "/v1/responses", {}, "openai", "realtime"),
    ("GET", "/v1/realtime?model=gpt-realtime", {}, "openai", "realtime"),
    ("POST", "/v1/realtime/client_secrets", {}, "openai", "realtime"),
    ("POST", "/v1/images/generations", {}, "openai", "images"),
    ("POST", "/v1/audio/transcriptions", {}, "openai", "audio"),
    ("GET", "/v1/audio/voices", {}, "openai", "other"),
    ("POST", "/v1/files", {}, "openai", "files"),
    ("GET", "/v1/files/file-1/content", {}, "openai", "files"),
    ("GET", "/v1/files", CLAUDE, "anthropic", "files"),
    ("GET", "/v1/models", {}, "openai", "models"),
    ("HEAD", "/v1/models", {}, "openai", "models"),
    ("GET", "/v1/models/gpt-4o", {}, "openai", "models"),
    ("DELETE", "/v1/models/ft:gpt-4o:me", {}, "openai", "other"),
    ("GET", "/v1/models", CLAUDE, "anthropic", "models"),
    ("GET", "/v1/models/claude-x", CLAUDE, "anthropic", "models"),
    ("GET", "/anthropic/v1/models", {}, "anthropic", "models"),
    ("GET", "/v1/organization/usage/completions", {}, "openai", "other"),
    ("POST", "/v1/messages", {}, "anthropic", "messages"),
    ("POST", "/v1/messages?beta=true", CLAUDE, "anthropic", "messages"),
    ("POST", "/anthropic/v1/messages", CLAUDE, "anthropic", "messages"),
    ("POST", "/v1/messages/count_tokens", {}, "anthropic", "count_tokens"),
    ("POST", "/v1/messages/batches", {}, "anthropic", "other"),
    ("POST", "/v1/complete", {}, "anthropic", "completions"),
    ("POST", "/api/chat", {}, "ollama", "chat"),
    ("POST", "/ollama/api/chat", {}, "ollama", "chat"),
    ("POST", "/api/generate", {}, "ollama", "generate"),
    ("POST", "/api/embed", {}, "ollama", "embed"),
    ("POST", "/api/embeddings", {}, "ollama", "embed"),
    ("GET", "/api/tags", {}, "ollama", "models"),
    ("POST", "/api/show", {}, "ollama", "show"),
    ("GET", "/api/version", {}, "ollama", "version"),
    ("GET", "/api/ps", {}, "ollama", "ps"),
    ("POST", "/api/pull", {}, "ollama", "pull"),
    ("POST", "/api/blobs/sha256:00", {}, "ollama", "other"),
    ("GET", "/", {}, "ollama", "root"),
    ("HEAD", "/", {}, "ollama", "root"),
    ("GET", "/ollama", {}, "ollama", "root"),
    ("GET", "/favicon.ico", {}, "openai", "other"),
    ("GET", "", {}, "ollama", "root"),
]


@pytest.mark.parametrize(("method", "path", "headers", "dialect", "operation"), KINDS)
def test_recognises_each_dialects_paths(method, path, headers, dialect, operation):
    """Every path of the three APIs has one dialect and operation."""
    assert paths.recognise(method, path, headers) == (dialect, operation)


@given(st.text(), st.text())
def test_recognises_any_path(method, path):
    """Any path belongs to some dialect."""
    assert paths.recognise(method, path)[0] in ("openai", "anthropic", "ollama")


@pytest.mark.parametrize(
    ("path", "stripped"),
    [
        ("/openai/v1/chat/completions?a=b", "/v1/chat/completions?a=b"),
        ("/anthropic/v1/messages", "/v1/messages"),
        ("/ollama/api/tags", "/api/tags"),
        ("/ollama", "/"),
        ("/openai", "/openai"),
        ("/openai/other", "/openai/other"),
        ("/openaiv1/x", "/openaiv1/x"),
        ("/v1/models", "/v1/models"),
    ],
)
def test_strips_the_prefix_that_names_an_api(path, stripped):
    """A base URL may name the API; what follows is the API's own path."""
    assert paths.strip_prefix(path) == stripped


@pytest.mark.parametrize("operation", ["chat", "messages", "embed", "show", "count_tokens"])
def test_operations_routed_by_model(operation):
    """Operations whose body names a model are routed by it."""
    assert paths.has_model(operation)


@pytest.mark.parametrize("operation", ["models", "files", "realtime", "other", "root", "pull"])
def test_operations_without_a_model(operation):
    """Other operations are not."""
    assert not paths.has_model(operation)


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/models/gpt-4o", "gpt-4o"),
        ("/openai/v1/models/meta%2Fllama?x=1", "meta/llama"),
        ("/v1/models", None),
        ("/v1/models/", None),
        ("/v1/modelsx/a", None),
    ],
)
def test_model_of_a_models_path(path, model):
    """The path of one model names it."""
    assert paths.model_id(path) == model
