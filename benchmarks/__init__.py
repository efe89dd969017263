"""Side-by-side measurements: every figure is a ratio of two things run in turn on one machine."""
