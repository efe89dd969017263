"""LLM Agent Go: a prompt in, a response out, whole or as it is generated."""

from __future__ import annotations

from llmitm.seeds.endpoint import Answered, Endpoint, Json
from llmitm.seeds.fields import chat, words


def ask(body: Json) -> Json:
    return chat(words(body, "prompt"))


def answer(answered: Answered) -> Json:
    return {"response": answered.text}


GENERATE = Endpoint(chat=ask, answer=answer, usual_model="llama3")
STREAM = Endpoint(
    chat=lambda body: {**ask(body), "stream": True},
    answer=answer,
    usual_model="llama3",
    streams=True,
)
