"""Measures of a result: truth, timbre, content, texture, blind listening."""
