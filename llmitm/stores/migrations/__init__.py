"""The schema's history: one numbered SQL file per version and backend, only ever added to."""
