"""Which functions a project has, and what is wrong with its files.

Problems are numbered DEF001 to DEF013. Warnings, which stop nothing:
DEF101: ``default`` is the background function, the name itself is still the plain one.
DEF102: the folder has no ``__init__.py``, and another importable package has its name.
DEF103: a file is imported under two names.
"""
