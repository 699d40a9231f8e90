"""Names of `audiostyle.system` that are still looked for here."""

from audiostyle.system import sha256, whole_file

__all__ = ["sha256", "whole_file"]
