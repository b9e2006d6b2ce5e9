"""Writes by id, as the API makes them: create or replace, and delete."""

from __future__ import annotations

from functools import cache
from typing import Any

from adapter import data
from adapter.errors import NotUnique, StoreError, VersionConflict
from adapter.record import Resource
from adapter.store.fold import API, fold, outdate, overwrite
from adapter.store.instants import moment
from adapter.store.protocol import Stored
from adapter.store.reads import one_version
from adapter.store.registers import Stamp
from adapter.store.work import Identity, State, Work, identity_of


def put(work: Work, resource: Resource, now: str, if_version: int | None) -> tuple[Stored, bool]:
    """Create or replace a resource by its id; the same content again makes no new version.

    Raises VersionConflict when `if_version` is not the current one, NotUnique when an identifier
    that names a resource of this type (mappings/identity.toml) belongs to another.
    """
    kind, uid = resource.get("resourceType"), resource.get("id")
    if not isinstance(kind, str) or not isinstance(uid, str) or not kind or not uid:
        raise StoreError("a resource to put needs resourceType and id")
    state = work.state(kind, uid)
    _expect(state, if_version)
    _own(work, kind, uid, resource)
    new = state is None or state.deleted
    state = work.state_or_new(kind, uid)
    stamp = Stamp(moment(now), f"{state.version + 1:012d}")
    overwrite(kind, state.contributions, resource, stamp, work.order)
    work.contributed(state, API)
    content = fold(kind, state.contributions, work.order)
    if state.version and not state.deleted and content == state.content:
        return _current(work, state), False
    return work.save(state, content, now), new


def delete(work: Work, kind: str, uid: str, now: str) -> Stored | None:
    """Mark deleted as a new version; None when there is none, no new version when it is gone."""
    state = work.state(kind, uid)
    if state is None:
        return None
    if state.deleted:
        return _current(work, state)
    sources = list(state.contributions)
    outdate(state.contributions, Stamp(moment(now), f"{state.version + 1:012d}"))
    work.contributed(state, API, *sources)
    return work.save(state, {}, now, deleted=True)


def _expect(state: State | None, if_version: int | None) -> None:
    current = 0 if state is None or state.deleted else state.version
    if if_version is not None and if_version != current:
        raise VersionConflict("the resource is not at the version expected")


def _own(work: Work, kind: str, uid: str, resource: Resource) -> None:
    """Let the identifiers of a resource name it, and those it gave up name nothing."""
    wanted = _naming(kind, resource)
    if any(_belongs_to_another(work, identity, uid) for identity in wanted):
        raise NotUnique(f"an identifier already belongs to another {kind}")
    state = work.state(kind, uid)
    given_up = _naming(kind, state.content) - wanted if state else set()
    for identity in given_up:
        if work.owner(identity) == uid:
            work.unregister(identity)
    for identity in wanted:
        if work.owner(identity) != uid:
            work.unregister(identity)
            work.register(identity, uid)


def _belongs_to_another(work: Work, identity: Identity, uid: str) -> bool:
    """True when a stored resource has it; a deleted one gives its identifiers up to a new one."""
    owner = work.owner(identity)
    if owner in (None, uid):
        return False
    state = work.state(identity[2], str(owner))
    return state is not None and not state.deleted


def _naming(kind: str, resource: Resource) -> set[Identity]:
    """The identifiers of a resource that name it, by their type."""
    types = _types().get(kind, frozenset())
    found = resource.get("identifier", [])
    return {
        identity_of(kind, str(one["system"]), str(one["value"]))
        for one in (found if isinstance(found, list) else [found])
        if one.get("system") and one.get("value") and _type(one) & types
    }


def _type(identifier: dict[str, Any]) -> set[str]:
    codings = identifier.get("type", {}).get("coding", ())
    return {str(coding.get("code", "")) for coding in codings} or {""}


@cache
def _types() -> dict[str, frozenset[str]]:
    table = data.toml(data.path("mappings", "identity.toml"))
    return {kind: frozenset(row["types"]) for kind, row in table.items() if isinstance(row, dict)}


def _current(work: Work, state: State) -> Stored:
    work.flush()
    stored = one_version(work.connection, state.kind, state.id, state.version)
    if stored is None:
        raise StoreError(f"the current version of a {state.kind} is missing")
    return stored
