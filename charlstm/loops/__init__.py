"""Loops over numbers that numba compiles, where it is installed (the extra `fast`)."""
