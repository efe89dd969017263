import json

import pytest

from llmitm.dialects import model_object, models_list


@pytest.mark.parametrize(
    ("dialect", "operation", "ids"),
    [
        ("openai", "models", lambda body: [model["id"] for model in body["data"]]),
        ("anthropic", "models", lambda body: [model["id"] for model in body["data"]]),
        ("ollama", "models", lambda body: [model["name"] for model in body["models"]]),
        ("ollama", "ps", lambda body: [model["model"] for model in body["models"]]),
    ],
)
@pytest.mark.parametrize("names", [[], ["a"], ["a", "b/c"]])
def test_lists_names_in_order(dialect, operation, ids, names):
    """Each dialect's list holds the names it was given."""
    assert ids(json.loads(models_list(dialect, operation, names))) == names


def test_anthropics_list_names_its_ends():
    """The first and last id are what its pages are turned by."""
    body = json.loads(models_list("anthropic", "models", ["a", "b"]))
    assert (body["first_id"], body["last_id"], body["has_more"]) == ("a", "b", False)


@pytest.mark.parametrize(
    ("dialect", "operation", "expected"),
    [
        ("openai", "models", {"id": "a", "object": "model", "created": 0, "owned_by": "llmitm"}),
        (
            "anthropic",
            "models",
            {
                "type": "model",
                "id": "a",
                "display_name": "a",
                "created_at": "1970-01-01T00:00:00Z",
                "lifecycle": "active",
            },
        ),
    ],
)
def test_one_model(dialect, operation, expected):
    """The object of one model is the one in the list."""
    assert json.loads(model_object(dialect, operation, "a")) == expected


def test_ollamas_show():
    """Ollama tells about a model what it can do."""
    assert json.loads(model_object("ollama", "show", "a"))["capabilities"] == ["completion"]
