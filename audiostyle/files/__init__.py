"""Sound files in, sound files out: one transfer, many, and the recipe that makes a result again."""
