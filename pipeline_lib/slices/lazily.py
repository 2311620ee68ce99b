"""Items that are made when they are asked for: of many patients, few are open at once."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from collections.abc import Sequence as Listing
from typing import Generic, TypeVar, overload

Key = TypeVar("Key")
Item = TypeVar("Item")


class Lazily(Listing[Item], Generic[Key, Item]):
    """A sequence that holds keys, and makes the item of a key whenever it is asked for.

    A patient that is open keeps files mapped: ten thousand of them would be more than a process
    may have open, and the pages that were looked at would stay in memory.

    Parameters
    ----------
    keys
        One an item.
    make
        Gives the item of a key, each time an equal one.
    kept
        How many items are kept, the last ones that were asked for.
    """

    def __init__(self, keys: Iterable[Key], make: Callable[[Key], Item], kept: int = 1) -> None:
        self.keys = tuple(keys)
        self._make, self._most = make, kept
        self._kept: OrderedDict[int, Item] = OrderedDict()

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, place: int) -> Item: ...

    @overload
    def __getitem__(self, place: slice) -> Listing[Item]: ...

    def __getitem__(self, place: int | slice) -> Item | Listing[Item]:
        places = range(len(self.keys))[place]
        return self._at(places) if isinstance(places, int) else [self._at(at) for at in places]

    def _at(self, place: int) -> Item:
        if place not in self._kept:
            while len(self._kept) >= self._most:
                self._kept.popitem(last=False)
            self._kept[place] = self._make(self.keys[place])
        self._kept.move_to_end(place)
        return self._kept[place]
