"""llmitm: a gateway for LLM APIs built on mitmproxy."""

__version__ = "0.1.0"
