"""Mutants: the source of a module with one of its checks taken out."""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ERRORS = frozenset({"Conflict", "Corrupt", "Damaged", "NotFound", "Refused", "Unavailable", "WrongKey"})
CHECKING = ("_check", "check", "gate", "verify")

Edit = Callable[[ast.AST], ast.AST]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module without one check; `what` is the source that was taken out."""

    path: Path
    line: int
    what: str
    tree: ast.Module

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


def mutants(path: Path) -> Iterator[Mutant]:
    """Yield every mutant of a module."""
    tree = ast.parse(path.read_text("utf-8"))
    nodes = list(ast.walk(tree))
    for number, node in enumerate(nodes):
        for what, edit in _edits(node):
            changed = copy.deepcopy(tree)
            target = list(ast.walk(changed))[number]
            replaced: ast.Module = ast.fix_missing_locations(_Replacing(target, edit(target)).visit(changed))
            yield Mutant(path, getattr(node, "lineno", 0), what, replaced)


def raises(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the message of every refusal of a module; `…` stands for what is known only then."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS and node.args:
            yield node.lineno, _message(node.args[0])


def _edits(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    if isinstance(node, ast.Raise) and ast.unparse(node) != "raise NotImplementedError":
        yield ast.unparse(node), lambda _: ast.Pass()
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _name(node.value).startswith(CHECKING):
        yield ast.unparse(node), lambda _: ast.Pass()
    if isinstance(node, ast.If) and _refuses(node):
        yield from _weaker(node.test)


def _weaker(test: ast.expr) -> Iterator[tuple[str, Edit]]:
    """Yield what makes a condition for a refusal hold less often."""
    for number, part in enumerate(ast.walk(test)):
        if isinstance(part, ast.BoolOp) and isinstance(part.op, ast.Or):
            for at, value in enumerate(part.values):
                yield f"… or {ast.unparse(value)}", _in_test(number, _without_value(at))
        if isinstance(part, ast.Compare) and len(part.ops) == 1 and isinstance(part.comparators[0], ast.Tuple):
            for at, element in enumerate(part.comparators[0].elts):
                yield f"compare {ast.unparse(element)}", _in_test(number, _without_element(at))


def _in_test(number: int, edit: Edit) -> Edit:
    def changed(node: ast.AST) -> ast.AST:
        assert isinstance(node, ast.If)
        part = list(ast.walk(node.test))[number]
        node.test = _Replacing(part, edit(part)).visit(node.test)
        return node

    return changed


def _without_value(at: int) -> Edit:
    def changed(node: ast.AST) -> ast.AST:
        assert isinstance(node, ast.BoolOp)
        node.values[at] = ast.Constant(False)
        return node

    return changed


def _without_element(at: int) -> Edit:
    """Leave one element of two tuples out of their comparison."""

    def changed(node: ast.AST) -> ast.AST:
        assert isinstance(node, ast.Compare)
        node.left, node.comparators = _cut(node.left, at), [_cut(node.comparators[0], at)]
        return node

    return changed


def _cut(values: ast.expr, at: int) -> ast.expr:
    if isinstance(values, ast.Tuple):
        return ast.Tuple([value for n, value in enumerate(values.elts) if n != at], ast.Load())
    text = ast.unparse(values)
    return ast.parse(f"(*{text}[:{at}], *{text}[{at + 1}:])", mode="eval").body


def _refuses(node: ast.If) -> bool:
    return any(isinstance(one, ast.Raise) for one in node.body)


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _message(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_message(part) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return "…"


class _Replacing(ast.NodeTransformer):
    """Puts one node into the place of another."""

    def __init__(self, target: ast.AST, replacement: ast.AST) -> None:
        self._target = target
        self._replacement = replacement

    def visit(self, node: ast.AST) -> Any:
        if node is self._target:
            return self._replacement
        return self.generic_visit(node)
