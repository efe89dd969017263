"""The simple endpoints of five earlier services: each one a chat in a shape of its own."""
