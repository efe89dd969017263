"""The inspection UI: mitmweb, fed with the calls of a gateway."""
