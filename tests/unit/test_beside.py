"""Which late answers of the second ear still count."""

from __future__ import annotations

from ivr.speech.beside import Beside, Late
from ivr.speech.second_line import SecondLine

PCM = bytes(16_000)


def beside(sentences: int) -> tuple[Beside, SecondLine]:
    line = SecondLine()
    one = Beside(line, 1)
    for _ in range(sentences):
        one.send(PCM)
    return one, line


def answer(line: SecondLine, number: int, meaning: str) -> None:
    line._answer(f'[1, {number}, "{meaning}", 80]'.encode())


def test_of_one_sentence_one_service_whoever_is_first() -> None:
    one, line = beside(2)
    one.settle()  # the recogniser told something of the second
    answer(line, 1, "service.meals")
    answer(line, 2, "service.cleaning")
    assert one.take(speaking=False) is None
    one.send(PCM)
    answer(line, 3, "service.cleaning")
    assert one.take(speaking=False) == Late("service.cleaning", 80)
    answer(line, 3, "service.cleaning")
    assert one.take(speaking=False) is None, "told"
    assert line.counts.second_told == 1


def test_distress_counts_always_and_at_once() -> None:
    one, line = beside(2)
    one.settle()
    answer(line, 1, "distress.fall")
    assert one.take(speaking=True) == Late("distress.fall", 80)


def test_no_service_takes_the_place_of_distress_that_waits() -> None:
    one, line = beside(3)
    answer(line, 1, "distress.fall")
    answer(line, 2, "service.meals")
    one.settle()
    assert one.take(speaking=True) == Late("distress.fall", 80)


def test_a_service_that_waits_gives_way_to_what_the_recogniser_told() -> None:
    one, line = beside(1)
    answer(line, 1, "service.meals")
    assert one.take(speaking=True) is None
    one.settle()
    assert one.take(speaking=False) is None


def test_distress_that_the_recogniser_heard_as_its_turn_was_ended_is_kept() -> None:
    one, _ = beside(1)
    one.keep("distress.help", 90)
    assert one.take(speaking=True) == Late("distress.help", 90)


def test_what_is_over_is_told_nothing() -> None:
    one, line = beside(1)
    one.end()
    answer(line, 1, "distress.fall")
    assert one.take(speaking=True) is None
