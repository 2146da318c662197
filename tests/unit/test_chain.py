"""Whatever is done to a chain of journal rows is found, and said where."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ivr.domain.chain import CLOSED, Broken, Chain, Content, Fault, Row, check, genesis, link_hash

INCIDENT = "01HZZZZZZZZZZZZZZZZZZZZZZZ"
BEGAN = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_CONTENT = st.builds(
    Content,
    kind=st.sampled_from(["leg.dialled", "leg.ended", "incident.escalated", "file.viewed"]),
    at=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),  # noqa: DTZ001
    incident_id=st.just(INCIDENT),
    leg_id=st.none() | st.just("01LEG"),
    data=st.dictionaries(st.text(max_size=6), _JSON, max_size=4),
)


def made(contents: list[Content], *, after: int = 0, first: int = 11, closed_at: int | None = None) -> Any:
    """A chain and its rows, as the store writes them; seq with gaps, as in life."""
    rows: list[Row] = []
    before = genesis(INCIDENT, after)
    sealed: tuple[int, str] | None = None
    for number, content in enumerate(contents, 1):
        if number == closed_at:
            content = replace(content, kind=CLOSED)
        before = link_hash(before, number, content)
        rows.append(Row(first + 3 * number, content, number, before))
        if number == closed_at:
            sealed = (number, before)
    chain = Chain(INCIDENT, after, len(rows), before if rows else None, *(sealed or (None, None)), sealed is not None)
    return chain, rows


_CHAINS = st.lists(_CONTENT, min_size=2, max_size=8)


@given(_CHAINS, st.integers(0, 10), st.data())
def test_an_untouched_chain_is_whole(contents: list[Content], after: int, data: st.DataObject) -> None:
    closed_at = data.draw(st.none() | st.integers(1, len(contents)))
    chain, rows = made(contents, after=after, closed_at=closed_at)
    older = [Row(after, replace(contents[0]), None, None)] if after else []
    anchors = [(row.number, row.hash) for row in rows]
    assert check(chain, [*older, *rows], anchors) is None


@given(_CHAINS, st.data())
def test_any_changed_field_is_found_at_its_row(contents: list[Content], data: st.DataObject) -> None:
    chain, rows = made(contents)
    place = data.draw(st.integers(0, len(rows) - 1))
    old = rows[place].content
    change: dict[str, Any] = data.draw(
        st.sampled_from(
            [
                {"kind": old.kind + "x"},
                {"at": old.at + timedelta(microseconds=1)},
                {"leg_id": "01OTHER"},
                {"call_id": "01CALL"},
                {"ticket_no": "T1"},
                {"extension": "1001"},
                {"data": {**old.data, "meddled": 1}},
            ]
        )
    )
    rows[place] = replace(rows[place], content=replace(old, **change))
    assert check(chain, rows) == Broken(Fault.CHANGED, rows[place].seq)


@given(_CHAINS, st.data())
def test_a_deleted_row_in_the_middle_is_missing_before_the_next(contents: list[Content], data: st.DataObject) -> None:
    chain, rows = made(contents)
    place = data.draw(st.integers(0, len(rows) - 2))
    del rows[place]
    assert check(chain, rows) == Broken(Fault.MISSING, rows[place].seq)


@given(_CHAINS, st.data())
def test_rows_cut_off_at_the_end_are_found(contents: list[Content], data: st.DataObject) -> None:
    chain, rows = made(contents)
    left = rows[: data.draw(st.integers(0, len(rows) - 1))]
    assert check(chain, left) == Broken(Fault.CUT, left[-1].seq if left else 0)


@given(_CHAINS, st.data())
def test_an_inserted_row_is_found_whatever_it_says_of_itself(contents: list[Content], data: st.DataObject) -> None:
    chain, rows = made(contents)
    place = data.draw(st.integers(0, len(rows)))
    content = data.draw(_CONTENT)
    number = data.draw(st.sampled_from([None, place, place + 1, place + 2]))
    hash_ = link_hash(rows[place - 1].hash if place else genesis(INCIDENT, 0), place + 1, content)
    hash_ = data.draw(st.sampled_from([None, "0" * 64, hash_]))
    seq = rows[place - 1].seq + 1 if place else rows[0].seq - 1
    tampered = [*rows[:place], Row(seq, content, number, hash_), *rows[place:]]
    found = check(chain, tampered)
    assert found is not None
    assert found.seq <= (rows[place].seq if place < len(rows) else seq)
    if number is None or hash_ is None:
        assert found == Broken(Fault.INSERTED, seq)


@given(_CHAINS, st.data())
def test_two_swapped_rows_are_found(contents: list[Content], data: st.DataObject) -> None:
    chain, rows = made(contents)
    one, two = sorted(data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=2, max_size=2, unique=True)))
    first, second = rows[one], rows[two]
    rows[one], rows[two] = replace(second, seq=first.seq), replace(first, seq=second.seq)
    assert check(chain, rows) == Broken(Fault.MOVED, first.seq)


@given(_CHAINS, st.data())
def test_swapped_contents_are_found(contents: list[Content], data: st.DataObject) -> None:
    chain, rows = made(contents)
    one, two = rows[0], rows[1]
    if one.content != two.content:
        rows[0], rows[1] = replace(one, content=two.content), replace(two, content=one.content)
        assert check(chain, rows) == Broken(Fault.CHANGED, one.seq)


@given(_CHAINS, st.data())
def test_a_chain_computed_anew_is_found_by_the_head_the_seal_or_an_anchor(
    contents: list[Content], data: st.DataObject
) -> None:
    """Somebody changed a row and every hash after it."""
    closed_at = data.draw(st.integers(2, len(contents)))
    chain, rows = made(contents, closed_at=closed_at)
    place = data.draw(st.integers(0, closed_at - 2))
    forged = [replace(one, leg_id="01FORGED") if at == place else one for at, one in enumerate(contents)]
    new_chain, new_rows = made(forged, closed_at=closed_at)
    assert check(chain, new_rows) == Broken(Fault.HEAD, new_rows[-1].seq)
    with_head = replace(chain, head=new_chain.head)
    assert check(with_head, new_rows) == Broken(Fault.SEAL, new_rows[closed_at - 1].seq)
    assert check(new_chain, new_rows) is None, "who writes all of it is found by an anchor only"
    kept = (rows[-1].number, rows[-1].hash)
    assert check(new_chain, new_rows, [kept]) == Broken(Fault.ANCHOR, new_rows[-1].seq)


def test_an_opened_seal_and_a_moved_beginning_are_found() -> None:
    contents = [Content("leg.dialled", BEGAN, INCIDENT), Content(CLOSED, BEGAN, INCIDENT)]
    chain, rows = made(contents, closed_at=2)
    assert check(replace(chain, sealed_events=None, sealed_hash=None), rows) == Broken(Fault.SEAL, rows[1].seq)
    assert check(replace(chain, closed=False), rows) == Broken(Fault.SEAL, rows[1].seq)
    # The first row is said to be older than chains: the second no longer fits.
    as_old = [replace(rows[0], number=None, hash=None), replace(rows[1], number=1)]
    assert check(replace(chain, after=rows[0].seq, events=1), as_old) == Broken(Fault.CHANGED, rows[1].seq)


@given(_CONTENT)
def test_what_a_database_gives_back_has_the_same_canonical_form(content: Content) -> None:
    stored = json.loads(json.dumps(content.data, ensure_ascii=False))
    local = content.at.astimezone(timezone(timedelta(hours=8)))
    assert replace(content, data=stored, at=local).canonical() == content.canonical()


def test_keys_that_are_numbers_come_back_as_words() -> None:
    content = Content("x", BEGAN, INCIDENT, data={"choices": {10: "a", 9: "b"}})
    assert replace(content, data=json.loads(json.dumps(content.data))).canonical() == content.canonical()
