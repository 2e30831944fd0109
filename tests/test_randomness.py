from __future__ import annotations

from charlstm.randomness import seed_from


def test_equal_numbers_give_equal_seeds_and_others_other_ones() -> None:
    numbers = [(), (1,), (11,), (1, 1), (1, 0), (0, 1), (1, 0, 0), (1, 2**63)]
    seeds = [seed_from(*each) for each in numbers]
    assert seeds == [seed_from(*each) for each in numbers]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**64 for seed in seeds)
