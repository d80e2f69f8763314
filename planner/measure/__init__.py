"""Co-locating real inference models on real machines, and what that does to their latency."""
