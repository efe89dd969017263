"""A fake LLM provider for demos and tests: three dialects, deterministic, scriptable faults."""

from llmitm.simulator.answer import expected_text
from llmitm.simulator.faults import FAULTS, UnknownFault
from llmitm.simulator.record import Record
from llmitm.simulator.server import Simulator, serve
from llmitm.simulator.settings import Settings

__all__ = [
    "FAULTS",
    "Record",
    "Settings",
    "Simulator",
    "UnknownFault",
    "expected_text",
    "serve",
]
