"""Studies behind the notebooks and the README, one file each: ``python -m experiments.<study>``."""
