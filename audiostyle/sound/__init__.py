"""Waveforms: sound files in and out, whole or not at all, what is wrong with them, levels."""
