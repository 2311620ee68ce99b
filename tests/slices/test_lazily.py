"""Items that are made when asked for."""

import gc
import weakref

from pipeline_lib.slices.lazily import Lazily


class Item:
    def __init__(self, key):
        self.key = key


def test_items_are_made_when_asked_for_and_the_last_ones_kept():
    made = []
    items = Lazily("abcd", lambda key: made.append(key) or Item(key), kept=2)
    assert made == []
    assert [items[place].key for place in (0, 1, 0, 2, 0, 1, -1)] == list("abacabd")
    assert made == list("abcbd")
    assert len(items) == 4
    assert [item.key for item in items[1:3]] == ["b", "c"]


def test_what_is_let_go_of_is_gone_at_once():
    gc.disable()
    try:
        items = Lazily("ab", Item)
        first = weakref.ref(items[0])
        assert first() is not None
        last = weakref.ref(items[1])
        assert first() is None
        del items
        assert last() is None
    finally:
        gc.enable()
