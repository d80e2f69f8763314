"""Scripts that produce the numbers which the documents claim; run them from the repository root."""
