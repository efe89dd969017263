"""The subcommands of `llmitm` that look at, or change, what a gateway keeps."""
