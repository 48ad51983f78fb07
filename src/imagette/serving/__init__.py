"""The HTTP API: pictures in, JSON out."""
