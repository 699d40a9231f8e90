"""What notebooks say of their numbers, held to what they say."""


def observed(text: str, **claims: bool) -> str:
    """Return what there is to see in a figure or table, after checking what is claimed of it.

    Parameters
    ----------
    text : str
        Sentences with numbers.
    **claims : bool
        Whether each thing that the sentences claim holds, by a name for it.

    Returns
    -------
    str
        Markdown.

    Raises
    ------
    AssertionError
        If a claim does not hold; the message names it.

    Examples
    --------
    >>> observed("It rises from 2 to 3.", rises=3 > 2)
    '*What to look for.* It rises from 2 to 3.'
    """
    refuted = [name for name, holds in claims.items() if not holds]
    if refuted:
        raise AssertionError(f"the numbers refute {', '.join(refuted)} in: {text}")
    return f"*What to look for.* {text}"
