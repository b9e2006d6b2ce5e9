"""The quick yes: objects of one type and the same elements are asked by a function made for them.

It only says whether all is sound; what is wrong, and where, is for the rules of structure.py. For
each set of elements that a type is met with, a few lines of Python are written and compiled, as
dataclasses do: no loop over rules, no call that is not needed. No text of the input gets into it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from adapter.validation import extensions, wholes
from adapter.validation.faults import DEPTH, Json, Rule, Walk
from adapter.validation.once import FIXED, once
from adapter.validation.primitives import Test, is_string

Ask = Callable[[Json, Walk], bool]
_MOST = 1_000  # sets of elements of a type that are remembered


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


class Shapes(dict[tuple[str, ...], Ask]):
    """The functions of a type by the elements that an object has, in their order."""

    def __init__(self, name: str, elements: Mapping[str, Element]) -> None:
        super().__init__()
        self._elements, self._whole = elements, wholes.whole(name)

    def made(self, node: Json) -> Ask:
        """The function for objects with a node's elements; it says no where these are wrong."""
        known = self._elements
        if not node or any(key not in known for key in node):
            return _no
        if not wholes.by_names(self._whole, node):
            return _no
        if len(self) >= _MOST:
            self.clear()
        holds = [one.holds for one in wholes.asked(self._whole, node)]
        ask = self[tuple(node)] = _compiled({key: known[key] for key in node}, holds)
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


def _compiled(elements: Mapping[str, Element], holds: list[Callable[[Json], bool]]) -> Ask:
    names: dict[str, Any] = {"FIXED": FIXED, "once": once}
    names |= {"extension": _extension, "reference": _reference}
    lines = ["def ask(node, walk):", " try:", "  pass"]
    for n, (key, element) in enumerate(elements.items()):
        if key != "resourceType":
            names |= {f"rule{n}": element.rule, f"one{n}": element.one, f"test{n}": element.test}
            names |= {f"shapes{n}": _shapes.get(element.kind), f"targets{n}": element.targets}
            lines += [f"  v = node[{key!r}]", *(f"  {line}" for line in _element(n, element))]
    for n, one in enumerate(holds):
        names[f"holds{n}"] = one
        lines.append(f"  if not holds{n}(node): return False")
    lines += [" except TypeError:", "  return False", " return True"]
    exec("\n".join(lines), names)  # noqa: S102  # names of R4's elements, and the lines below
    made: Ask = names["ask"]
    return made


def _element(n: int, element: Element) -> Iterator[str]:
    """The lines that ask `v`, the value of an element."""
    most = element.most
    if element.test is not None and most:
        sound = f"isinstance(v, list) and 0 < len(v) <= {most} and all(map(test{n}, v))"
        yield f"if not ({sound}): return False"
    elif element.test is is_string:
        quick = "type(v) is str and v.isprintable() and v and not v.isspace()"
        yield f"if not ({quick} or test{n}(v)): return False"
    elif element.test is not None:
        yield f"if not test{n}(v): return False"
    elif element.kind == "Resource":
        yield "return False"  # its rule asks it by itself
    elif not element.kind:
        yield f"if (once(rule{n}, v, walk) if type(v) in FIXED else rule{n}(v, walk)) is not None:"
        yield " return False"
    elif most:
        yield "if type(v) is list:"
        yield f" if not 0 < len(v) <= {most}: return False"
        yield " for v in v:"
        yield from (f"  {line}" for line in _object(n, element.kind, "one"))
        yield from _fixed(f"rule{n}")
    else:
        yield from _object(n, element.kind, "one")


def _object(n: int, kind: str, rule: str) -> Iterator[str]:
    """The lines that ask `v`, one object."""
    yield "if type(v) is dict:"
    if kind == "Reference":
        yield " u = v.get('reference') if len(v) == 1 else None"
        yield " if type(u) is str and u[:9] == 'urn:uuid:' and u.isprintable():"
        yield f"  walk.urns.append((u, v, targets{n}))"
        yield f" elif not reference(v, walk, targets{n}): return False"
    elif kind == "Extension":
        yield " if not extension(v, walk): return False"
    else:
        yield f" if not (shapes{n}.get(tuple(v)) or shapes{n}.made(v))(v, walk): return False"
    yield from _fixed(f"{rule}{n}")


def _fixed(rule: str) -> Iterator[str]:
    """The lines for a `v` that is no plain value: fixed, or wrong; most were asked this before."""
    yield "elif type(v) in FIXED:"
    yield f" if v.sure is not {rule} and once({rule}, v, walk) is not None: return False"
    yield "else: return False"
