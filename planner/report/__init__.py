"""Tables and lines that people look at on a terminal; what they show was worked out elsewhere."""
