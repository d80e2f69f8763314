"""Drawings of a few kinds of shapes, written as SVG for light and dark screens and as PNG."""
