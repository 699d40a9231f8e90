"""The version of the package, in the one place that reads without importing anything."""

__version__ = "0.1.0"
