"""`workers: N`: one supervisor process, N gateway processes that listen on one port."""
