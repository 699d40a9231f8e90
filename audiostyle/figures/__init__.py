"""Figures and players without widgets: axes in, axes out."""
