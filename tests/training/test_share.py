from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from charlstm.training.share import Share

counts = st.integers(1, 12)


@given(counts, counts, st.integers(1, 40))
def test_each_lane_of_each_member_is_learned_once(count: int, members: int, lanes: int) -> None:
    shares = [Share(number, count, members, lanes) for number in range(count)]
    seen = [(member, lane) for each in shares for member in each.members for lane in range(lanes)[each.lanes]]
    assert sorted(seen) == [(member, lane) for member in range(members) for lane in range(lanes)]
    assert abs(sum(each.of_all for each in shares) - 1) < 1e-9
    for number in range(members):
        assert number in shares[shares[0].owner(number)].members
        assert not any(number in each.members for each in shares[: shares[0].owner(number)])


@given(counts, counts, st.integers(1, 40))
def test_processes_with_the_same_members_are_neighbours_with_about_as_many_lanes(
    count: int, members: int, lanes: int
) -> None:
    shares = [Share(number, count, members, lanes) for number in range(count)]
    assert [each.group for each in shares] == sorted(each.group for each in shares)
    rows = [each.rows for each in shares]
    assert max(rows) - min(rows) <= 1


def test_what_each_has_is_told_in_a_line() -> None:
    assert str(Share(0, 2, 4, 16)) == "2 processes, each with 2 of 4 members"
    assert str(Share(0, 2, 1, 16)) == "2 processes, each with about 8 of 16 lanes"
    assert str(Share(0, 4, 2, 16)) == "4 processes, each with 1 of 2 members and about 8 of 16 lanes"
