import pytest

from llmitm.dialects.pieces import as_json, pieces, tokens


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("hi", ["hi"]),
        ("", []),
        (None, []),
        (7, []),
        (["a", ["b"], {"text": "c"}], ["a", "b", "c"]),
        ({"role": "user", "id": "x", "content": "hi"}, ["hi"]),
        ({"type": "image_url", "image_url": {"url": "data:,AAAA"}}, []),
        ({"type": "image", "source": {"type": "base64", "data": "AAAA"}}, []),
        ({"type": "document", "source": {"type": "text", "data": "doc"}}, ["doc"]),
        ({"type": "document", "source": {"type": "content", "content": "doc"}}, ["doc"]),
        ({"type": "input_audio", "input_audio": {"data": "AAAA"}}, []),
        ({"function": {"name": "get", "arguments": '{"a":1}'}}, ["get", '{"a":1}']),
        ({"function": {"name": "get", "arguments": {"a": 1}}}, ["get", '{"a":1}']),
        ({"type": "tool_use", "name": "get", "input": {}}, ["get"]),
        ([1, 2, 3], [" a a a"]),
    ],
)
def test_the_texts_of_a_value(value, texts):
    """What a model reads or writes is text; images, audio, ids and roles aren't."""
    assert list(pieces(value)) == texts


def test_token_ids_count_as_many_tokens():
    """A prompt of token ids is as long in tokens as the text that stands for it."""
    assert len(tokens([5, 6, 7]).split()) == 3


@pytest.mark.parametrize("value", [None, [], {}, object(), {"a": object()}, {"a": "\ud800"}])
def test_what_cannot_be_written_is_empty(value):
    """Nothing, and what is no JSON, adds nothing to a prompt."""
    assert as_json(value) == ""
