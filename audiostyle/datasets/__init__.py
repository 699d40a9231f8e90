"""Clips and pairs, corpora of speakers, and the archives they are fetched from."""
