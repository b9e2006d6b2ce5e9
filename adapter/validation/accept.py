"""The quick yes: objects of one type and the same elements are asked by a function made for them.

It only says whether all is sound; what is wrong, and where, is for the rules of structure.py. For
each set of elements that a type is met with, a few lines of Python are written and compiled, as
dataclasses do: no loop over rules, no call that is not needed. No text of the input gets into it.
Of a resource each element has a function of its own, which all sets of elements have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from adapter.validation import extensions, lists, r4, wholes
from adapter.validation.faults import DEPTH, Json, Rule, Walk
from adapter.validation.once import FIXED, once
from adapter.validation.primitives import Test, is_string

Ask = Callable[[Json, Walk], bool]
_MOST = 10_000  # sets of elements that are remembered, of all types; then all are forgotten


class Element(NamedTuple):
    """An element that an object may have.

    `rule`     knows what is wrong with it, and `one` with one value of its list
    `kind`     the type of an object; `""` where only its rule can tell
    `test`     of a primitive type: whether a value is sound
    `most`     how many there may be in its list, 0 for an element that is no list
    `targets`  of a Reference: what it may lead to
    """

    rule: Rule
    one: Rule
    kind: str = ""
    test: Test | None = None
    most: int = 0
    targets: frozenset[str] = frozenset()


class Shape(NamedTuple):
    """The elements of an object in their order, and the invariants that ask their values."""

    elements: Mapping[str, Element]
    holds: tuple[Callable[[Json], bool], ...]


class Shapes(dict[tuple[str, ...], Ask]):
    """The functions of a type by the elements that an object has, in their order."""

    def __init__(self, name: str, elements: Mapping[str, Element]) -> None:
        super().__init__()
        self._elements, self._whole = elements, wholes.whole(name)
        self._asks: dict[str, Ask] | None = {} if name in r4.resources() else None

    def shape(self, node: Json) -> Shape | None:
        """What objects with a node's elements are asked; None where these are wrong."""
        known = self._elements
        if not node or any(key not in known for key in node):
            return None
        if not wholes.by_names(self._whole, node):
            return None
        holds = tuple(one.holds for one in wholes.asked(self._whole, node))
        return Shape({key: known[key] for key in node}, holds)

    def made(self, node: Json) -> Ask:
        """The function for objects with a node's elements; it says no where these are wrong."""
        shape = self.shape(node)
        if shape is None:
            return _no
        every = list(_shapes.values())
        if sum(map(len, every)) >= _MOST:
            for shapes in every:
                shapes.clear()
        ask = self[tuple(node)] = _Writer(self._asks).function(shape, node)
        return ask


_shapes: dict[str, Shapes] = {}
_ready: dict[str, Shapes] = {}  # the resources among them that may be asked


def note(name: str, elements: Mapping[str, Element]) -> None:
    """Note the elements of a type; more may be added to them until an object is asked."""
    _shapes[name] = Shapes(name, elements)


def ready(name: str) -> None:
    """Note that the elements of a resource are complete, and those of all that it reaches."""
    _ready[name] = _shapes[name]


def accepts(node: Json, walk: Walk) -> bool:
    """Whether a resource is sound, its References noted in `walk`; when not, ask its rule why."""
    kind = node.get("resourceType")
    shapes = _ready.get(kind) if isinstance(kind, str) else None
    if shapes is None:
        return False
    walk.depth += 1
    return (shapes.get(tuple(node)) or shapes.made(node))(node, walk)


def _no(_node: Json, _walk: Walk) -> bool:
    return False


def _extension(node: Json, walk: Walk) -> bool:
    """An Extension, as deep as it may be, with what is known of its url."""
    return _inside("Extension", node, walk) and extensions.fits(node)


def _reference(node: Json, walk: Walk, targets: frozenset[str]) -> bool:
    """A Reference that is more than an urn: to an identifier, or with a display."""
    if not _inside("Reference", node, walk):
        return False
    walk.note(node, targets)
    return True


def _inside(kind: str, node: Json, walk: Walk) -> bool:
    """An object of a type that may hold others of its own, as deep as it may be."""
    if walk.depth >= DEPTH:
        return False
    shapes = _shapes[kind]
    walk.depth += 1
    sound = (shapes.get(tuple(node)) or shapes.made(node))(node, walk)
    walk.depth -= 1
    return sound


# -- writing functions ----------------------------------------------------------------------------

_DEEP = 3  # objects inside one another that one function asks
_LINES = 300  # of a function; what would make it longer is asked by another


class _Writer:
    """Writes the function of a shape. What a first object holds is asked where it stands.

    Objects inside that have the elements of those in the first one are asked by lines of the same
    function, without a call; others by the function of their own shape.
    """

    def __init__(self, asks: dict[str, Ask] | None = None) -> None:
        self._asks = asks
        self._names: dict[str, Any] = {"FIXED": FIXED, "once": once, "fits": extensions.fits}
        self._names |= {"extension": _extension, "reference": _reference}
        self._lines: list[str] = []

    def function(self, shape: Shape, node: Json) -> Ask:
        """The function for objects of a shape; `node` is the first of them."""
        self._object(shape, "node", node, 2, 0)
        lines = ["def ask(node, walk):", " try:", "  pass", *self._lines]
        lines += [" except (AttributeError, TypeError):", "  return False", " return True"]
        return self._made(lines)

    def _common(self, key: str, element: Element, value: Any) -> Ask:
        """The function for an element of a resource, made when it is first met."""
        asks = self._asks if self._asks is not None else {}
        if key not in asks:
            asks[key] = _Writer()._alone(element, value)
        return asks[key]

    def _alone(self, element: Element, value: Any) -> Ask:
        """The function for an element; `value` is the first of them."""
        self._element(element, "v0", value, 1, 0)
        return self._made(["def ask(v0, walk):", *self._lines, " return True"])

    def _made(self, lines: list[str]) -> Ask:
        exec("\n".join(lines), self._names)  # noqa: S102  # names of R4's elements, and lines below
        made: Ask = self._names["ask"]
        return made

    def _known(self, value: object) -> str:
        name = f"k{len(self._names)}"
        self._names[name] = value
        return name

    def _write(self, indent: int, *lines: str) -> None:
        self._lines += [" " * indent + line for line in lines]

    def _object(self, shape: Shape, name: str, node: Json, indent: int, deep: int) -> None:
        """The lines that ask each element of the object in a variable, and its invariants."""
        inner = f"v{deep}"
        for key, element in shape.elements.items():
            if key == "resourceType":
                continue
            if deep == 0 and self._asks is not None and element.kind:
                ask = self._known(self._common(key, element, node[key]))
                self._write(indent, f"if not {ask}({name}[{key!r}], walk): return False")
                continue
            self._write(indent, f"{inner} = {name}[{key!r}]")
            self._element(element, inner, node[key], indent, deep)
        for holds in shape.holds:
            self._write(indent, f"if not {self._known(holds)}({name}): return False")

    def _element(self, element: Element, v: str, value: Any, indent: int, deep: int) -> None:
        """The lines that ask the value of an element, in the variable `v`."""
        if element.test is not None:
            self._write(indent, f"if not ({self._test(element, v)}): return False")
        elif element.kind == "Resource":
            self._write(indent, "return False")  # its rule asks it by itself
        elif not element.kind:
            rule = self._known(element.rule)
            asked = f"(once({rule}, {v}, walk) if type({v}) in FIXED else {rule}({v}, walk))"
            self._write(indent, f"if {asked} is not None: return False")
        elif element.most:
            self._write(indent, f"if type({v}) is list:")
            self._write(indent + 1, f"if not ({self._size(element, v)}): return False")
            self._write(indent + 1, f"for {v} in {v}:")
            first = next((one for one in value if type(one) is dict), None)
            self._one(element, v, first if type(value) is list else None, indent + 2, deep)
            self._fixed(element.rule, v, indent)
        else:
            self._one(element, v, value, indent, deep)

    def _test(self, element: Element, v: str) -> str:
        test = self._known(element.test)
        if element.most:
            return f"isinstance({v}, list) and {self._size(element, v)} and all(map({test}, {v}))"
        if element.test is is_string:
            return f"{v}.isprintable() and {v} >= '!' or {test}({v})"  # no blank stands first
        return f"{test}({v})"

    def _size(self, element: Element, v: str) -> str:
        """Whether a list has as many values as it may."""
        return v if element.most >= lists.MANY else f"0 < len({v}) <= {element.most}"

    def _one(self, element: Element, v: str, value: Any, indent: int, deep: int) -> None:
        """The lines that ask one object."""
        if element.kind == "Reference":
            targets = self._known(element.targets)
            urn = "type(u) is str and u[:9] == 'urn:uuid:' and u.isprintable()"
            self._write(indent, f"u = {v}.get('reference') if len({v}) == 1 else None")
            self._write(indent, f"if {urn}: walk.urns.append((u, {v}, {targets}))")
            self._write(indent, f"elif type({v}) is dict:")
            self._write(indent + 1, f"if not reference({v}, walk, {targets}): return False")
        else:
            self._write(indent, f"if type({v}) is dict:")
            self._plain(element.kind, v, value, indent + 1, deep)
        self._fixed(element.one, v, indent)

    def _plain(self, kind: str, v: str, value: Any, indent: int, deep: int) -> None:
        shapes = _shapes[kind]
        other = f"extension({v}, walk)"
        if kind != "Extension":
            of_kind = self._known(shapes)
            other = f"({of_kind}.get(tuple({v})) or {of_kind}.made({v}))({v}, walk)"
        shape = shapes.shape(value) if type(value) is dict and self._short(value, deep) else None
        if shape is None:
            self._write(indent, f"if not {other}: return False")
            return
        self._write(indent, f"if {self._same(v, tuple(value))}:")
        self._object(shape, v, value, indent + 1, deep + 1)
        if kind == "Extension":
            self._write(indent + 1, f"if walk.depth >= {DEPTH} or not fits({v}): return False")
        self._write(indent, f"elif not {other}: return False")

    def _short(self, value: Json, deep: int) -> bool:
        """Whether the lines for an object may stand in this function."""
        return deep < _DEEP and len(self._lines) < _LINES and "extension" not in value

    def _same(self, v: str, names: tuple[str, ...]) -> str:
        """Whether an object has these elements: any order does, but for many it is quicker told."""
        if len(names) > _FEW:
            return f"tuple({v}) == {self._known(names)}"
        there = "".join(f" and {name!r} in {v}" for name in names)
        return f"len({v}) == {len(names)}{there}"

    def _fixed(self, rule: Rule, v: str, indent: int) -> None:
        """The lines for what is no plain value: fixed, or wrong; most were asked this before."""
        known = self._known(rule)
        self._write(indent, f"elif type({v}) in FIXED:")
        asked = f"{v}.sure is not {known} and once({known}, {v}, walk) is not None"
        self._write(indent + 1, f"if {asked}: return False")
        self._write(indent, "else: return False")


_FEW = 4
