"""What can be counted in the source: python tests/source.py prints it, tests/test_source.py holds the limits.

Lines outside tests are printed and not tested: a limit on them would fail whoever adds something useful later.
"""

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
# the decorators of sim/jit.py, sim/kernels/strict_code.py and sim/cuda
COMPILED = {"kernel", "inlined", "strict", "inlined_strict", "strict_kernel", "device"}


class Function(NamedTuple):
    file: str
    name: str
    lines: int  # from `def` to the end, docstring included
    positional: int  # parameters that may be given by position, without self or cls
    compiled: bool  # by numba


def files(tests: bool = True) -> list[str]:
    """The Python files of the repository, by their path in it."""
    folders = [init.parent for init in ROOT.glob("[a-z]*/__init__.py")] + [ROOT / "tests"] * tests
    found = [*ROOT.glob("*.py"), *(file for folder in folders for file in folder.rglob("*.py"))]
    return sorted(file.relative_to(ROOT).as_posix() for file in found)


def parse(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"), file)


def is_compiled(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether numba compiles a function, and finds its types."""
    return bool(COMPILED & {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list})


def functions(file: str) -> Iterator[Function]:
    for node in ast.walk(parse(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [argument.arg for argument in node.args.posonlyargs + node.args.args]
            positional = len(names) - (names[:1] in (["self"], ["cls"]))
            yield Function(file, node.name, node.end_lineno - node.lineno + 1, positional, is_compiled(node))


def identifiers(file: str) -> Iterator[tuple[str, int]]:
    """(identifier, line): names, attributes, parameters, keywords, functions, classes, imports and their aliases.

    Attributes of modules that are not ours, as in `np.eye`, are left out.
    """
    tree = parse(file)
    foreign = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if not alias.name.startswith("ballcast")
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in foreign:
            continue
        for field in ("id", "attr", "arg", "name", "asname"):
            if isinstance(name := getattr(node, field, None), str):
                yield name, getattr(node, "lineno", 0)


def words(identifier: str) -> list[str]:
    """The words of an identifier, in its capitals: MAX_STEPS -> MAX, STEPS; toLastFrame -> to, Last, Frame."""
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", identifier)


def main() -> None:
    found = [function for file in files(tests=False) for function in functions(file)]
    lines = sum(len((ROOT / file).read_text(encoding="utf-8").splitlines()) for file in files(tests=False))
    longest = max(found, key=lambda function: function.lines)
    widest = max((f for f in found if not f.compiled), key=lambda function: function.positional)
    print(f"{lines:,} lines of Python outside tests in {len(files(tests=False))} files")
    print(f"{len(found):,} functions, median {statistics.median(f.lines for f in found):g} lines")
    print(f"longest: {longest.name} in {longest.file}, {longest.lines} lines")
    print(f"most positional parameters, kernels apart: {widest.name} in {widest.file}, {widest.positional}")


if __name__ == "__main__":
    main()
