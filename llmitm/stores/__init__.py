"""Where records live: the ledger of calls, and the users and keys made at run time."""
