"""Names of `audiostyle.system` that are still looked for here."""

from audiostyle.system import compile_librosa, processes

__all__ = ["compile_librosa", "processes"]
