"""The admin listener: health, metrics, and the state that operators look at and change."""

from llmitm.admin.server import serving

__all__ = ["serving"]
