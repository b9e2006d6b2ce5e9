"""The quick yes: each object is walked once, each of its elements asked by what its type knows.

It only says whether all is sound; what is wrong, and where, is for the rules of structure.py.
Which elements there are decides what an object is asked as a whole, so that is found once a set.
"""

from __future__ import annotations

from typing import Any

from adapter.validation import extensions, r4, wholes
from adapter.validation.faults import DEPTH, Json, Rule, Walk
from adapter.validation.invariants import Holds
from adapter.validation.once import FIXED, once
from adapter.validation.primitives import Test, is_string

_MOST = 1_000  # sets of elements of a type that are remembered; then they are forgotten


class Element:
    """An element that an object may have; of no other class, it is for its rule to tell.

    `rule`  knows what is wrong with it, and `one` with one value of its list
    `test`  of a primitive type: whether a value is sound
    `most`  how many there may be in its list, 0 for an element that is no list
    `bit`   stands for it in a set of elements of its type
    """

    __slots__ = ("bit", "most", "one", "rule", "test")

    def __init__(self, rule: Rule, one: Rule, test: Test | None = None, most: int = 0) -> None:
        self.rule, self.one, self.test, self.most = rule, one, test, most
        self.bit = 0

    def sound(self, value: Any, walk: Walk) -> bool:
        """Whether a value is sound. May raise AttributeError or TypeError instead of saying no."""
        if type(value) in FIXED:
            return once(self.rule, value, walk) is None
        return self.rule(value, walk) is None


class Resource(Element):
    """A resource within another: its rule asks it by itself."""

    __slots__ = ()

    def sound(self, value: Any, walk: Walk) -> bool:
        """Never by this short way."""
        return False


class Primitive(Element):
    """A value of a primitive type."""

    __slots__ = ()

    def sound(self, value: Any, walk: Walk) -> bool:
        """By its test."""
        return bool(self.test(value)) if self.test is not None else False


class Text(Primitive):
    """Texts are most of what there is, and most of these begin with a letter."""

    __slots__ = ()

    def sound(self, value: Any, walk: Walk) -> bool:
        """By its first letter, else by its test."""
        return (value.isprintable() and value >= "!") or bool(is_string(value))


class Primitives(Element):
    """A list of such values."""

    __slots__ = ()

    def sound(self, value: Any, walk: Walk) -> bool:
        """Each by the test."""
        if not isinstance(value, list) or not 0 < len(value) <= self.most:
            return False
        return self.test is not None and all(map(self.test, value))


class Object(Element):
    """An object of a type, or a list of them."""

    __slots__ = ("type",)

    def __init__(self, rule: Rule, one: Rule, of: Type, most: int) -> None:
        super().__init__(rule, one, None, most)
        self.type = of

    def sound(self, value: Any, walk: Walk) -> bool:
        """Each by its type."""
        if not self.most:
            return self.one_sound(value, walk)
        if type(value) is not list:
            return _known(self.rule, value, walk)
        if not 0 < len(value) <= self.most:
            return False
        return all(self.one_sound(each, walk) for each in value)

    def one_sound(self, value: Any, walk: Walk) -> bool:
        """Whether one value of the list is sound, or the only one."""
        if type(value) is dict:
            return self.type.sound(value, walk)
        return _known(self.one, value, walk)


class Extension(Object):
    """An Extension, as deep as it may be, with what is known of its url."""

    __slots__ = ()

    def one_sound(self, value: Any, walk: Walk) -> bool:
        """By its type, and its url."""
        if type(value) is not dict:
            return _known(self.one, value, walk)
        return _deeper(self.type, value, walk) and extensions.fits(value)


class Reference(Object):
    """A Reference, noted with what it may lead to."""

    __slots__ = ("targets",)

    def __init__(self, rule: Rule, one: Rule, of: Type, most: int, targets: frozenset[str]) -> None:
        super().__init__(rule, one, of, most)
        self.targets = targets

    def one_sound(self, value: Any, walk: Walk) -> bool:
        """By its type, unless it is nothing but an urn."""
        if type(value) is not dict:
            return _known(self.one, value, walk)
        urn = value.get("reference") if len(value) == 1 else None
        if type(urn) is str and urn[:9] == "urn:uuid:" and urn.isprintable():
            walk.urns.append((urn, value, self.targets))
            return True
        if not _deeper(self.type, value, walk):
            return False
        walk.note(value, self.targets)
        return True


class Type:
    """A type of R4 with its elements; more may be added until it is ready to be asked."""

    __slots__ = ("asked", "elements", "whole")

    def __init__(self, name: str) -> None:
        self.elements: dict[str, Element] = {}
        self.whole = wholes.whole(name)
        self.asked: dict[int, tuple[Holds, ...]] = {}
        if name in r4.resources():
            self.elements["resourceType"] = Element(_nothing, _nothing)  # it led here

    def ready(self) -> None:
        """Give each element its bit: those that are usual come first."""
        for place, name in enumerate(sorted(self.elements, key=lambda name: name[0] == "_")):
            self.elements[name].bit = 1 << place

    def sound(self, node: Json, walk: Walk) -> bool:
        """Whether an object is sound, its References noted. May raise as an element does."""
        there = 0
        elements = self.elements
        for key, value in node.items():
            element = elements.get(key)
            if element is None or not element.sound(value, walk):
                return False
            there |= element.bit
        asked = self.asked.get(there)
        if asked is None:
            asked = self._ask(there, node)
        return not asked or all(holds(node) for holds in asked)

    def _ask(self, there: int, node: Json) -> tuple[Holds, ...]:
        """The invariants of objects with a node's elements, or that these are wrong."""
        asked: tuple[Holds, ...] = (_never,)
        if node and wholes.by_names(self.whole, node):
            asked = tuple(one.holds for one in wholes.asked(self.whole, node))
        if len(self.asked) >= _MOST:
            self.asked.clear()
        self.asked[there] = asked
        return asked


def primitive(rule: Rule, one: Rule, test: Test, most: int = 0) -> Element:
    """An element of a primitive type."""
    if most:
        return Primitives(rule, one, test, most)
    return (Text if test is is_string else Primitive)(rule, one, test)


_resources: dict[str, Type] = {}  # those that may be asked


def ready(name: str, resource: Type) -> None:
    """Note that the elements of a resource are complete, and those of all that it reaches."""
    _resources[name] = resource


def accepts(node: Json, walk: Walk) -> bool:
    """Whether a resource is sound, its References noted in `walk`; when not, ask its rule why."""
    kind = node.get("resourceType")
    found = _resources.get(kind) if isinstance(kind, str) else None
    if found is None:
        return False
    walk.depth += 1
    try:
        return found.sound(node, walk)
    except (AttributeError, TypeError):
        return False


def _deeper(of: Type, node: Json, walk: Walk) -> bool:
    """An object of a type that may hold others of its own, as deep as it may be."""
    if walk.depth >= DEPTH:
        return False
    walk.depth += 1
    sound = of.sound(node, walk)
    walk.depth -= 1
    return sound


def _known(rule: Rule, value: Any, walk: Walk) -> bool:
    """What is no plain object or list: fixed, or wrong; most were asked this before."""
    if type(value) not in FIXED:
        return False
    return value.sure is rule or once(rule, value, walk) is None


def _nothing(_value: Any, _walk: Walk) -> None:
    return None


def _never(_node: Json) -> bool:
    return False
