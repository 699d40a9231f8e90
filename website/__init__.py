"""The site: pages, pictures and sound that anyone can open, made from committed results in seconds.

``python -m website.sounds`` makes the sound of ``results/sounds`` (minutes for each clip that the paper's setting
makes), ``python -m website.build`` the pages. It is no part of the package: nobody who installs that needs it.
"""
