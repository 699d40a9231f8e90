"""Measures of a result: truth, timbre, content, texture, blind listening."""

from audiostyle.measures.timbre import style_distance

__all__ = ["style_distance"]
