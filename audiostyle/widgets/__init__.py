"""Widgets of the notebooks, and the style lab as a page of its own."""
