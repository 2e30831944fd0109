"""Loops over numbers that numba compiles, where it is installed (the extra `fast`)."""

SLOPES = 6
"""What a training step keeps of a unit for the way back: the derivatives of c by the sums inside i, f and g, of h by
the sum inside o and by c, and of c by the memory before, which is f."""
