"""States as they are shown: without ciphertext, as fields, and as what changed between two of them."""

from collections.abc import Iterator, Mapping
from typing import Any

from domain.event import State

CIPHERTEXT = frozenset({"nonce", "ciphertext"})


def shown(value: Any) -> Any:
    """Return a state without the ciphertext of its sealed values, which serves no reader; `log export` has it."""
    if isinstance(value, Mapping):
        hidden = CIPHERTEXT if "sealed" in value and "keyId" in value else frozenset()
        return {name: shown(member) for name, member in value.items() if name not in hidden}
    return [shown(member) for member in value] if isinstance(value, list) else value


def fields(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield every value of a state with its path, such as `attributes.enabled`; lists of plain values stay whole."""
    if isinstance(value, Mapping) and value:
        for name, member in value.items():
            yield from fields(member, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and any(isinstance(member, Mapping) for member in value):
        for index, member in enumerate(value):
            yield from fields(member, f"{path}[{index}]")
    else:
        yield path, value


def changes(before: State | None, after: State | None) -> list[dict[str, object]]:
    """Return each field that differs, as {"field", "before", "after"}; a side that lacks it is left out."""
    old, new = dict(fields(shown(before or {}))), dict(fields(shown(after or {})))
    found = []
    for name in [*old, *(name for name in new if name not in old)]:
        if name and old.get(name, ...) != new.get(name, ...):
            sides = (("before", old), ("after", new))
            found.append({"field": name, **{side: values[name] for side, values in sides if name in values}})
    return found
