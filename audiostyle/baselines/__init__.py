"""Reference points that use no random features."""
