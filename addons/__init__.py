"""The gateway's mitmproxy addons: one feature, one file."""
