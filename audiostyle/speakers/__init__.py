"""Who is speaking, told by Gram distance: the second half of the paper."""
