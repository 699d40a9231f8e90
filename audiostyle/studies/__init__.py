"""Transfers of files: one, many, and what makes a result again."""
