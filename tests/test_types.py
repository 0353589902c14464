"""Every public function and method of the packages is annotated, so that mypy (`make lint`) checks it."""

import ast

import pytest
import source

PACKAGES = ("ballcast/", "sim/", "tracks/", "render/", "models/", "env/", "evaluation/")
VIEWER = ("viewer/panels/", "viewer/calibration/", *(f"viewer/{name}.py" for name in (
    "choices", "film", "framing", "introduction", "keys", "menu", "mouse", "options", "screen", "units", "warm_start",
)))  # fmt: skip
FILES = [file for file in source.files(tests=False) if file.startswith(PACKAGES + VIEWER)]


def public_functions(body, prefix=""):
    """(name, node) of the public functions of a module and of the methods of its public classes."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body, f"{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            if not source.is_compiled(node):
                yield prefix + node.name, node
        elif isinstance(node, ast.If | ast.Try | ast.With):
            yield from public_functions(node.body, prefix)


def unannotated(name, node):
    """The parameters without annotation, and `return`."""
    arguments = node.args
    parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    if "." in name and not any(ast.unparse(decorator) == "staticmethod" for decorator in node.decorator_list):
        parameters = parameters[1:]  # self or cls
    return [p.arg for p in parameters if p and p.annotation is None] + ["return"] * (node.returns is None)


@pytest.mark.parametrize("file", FILES)
def test_public_functions_are_annotated(file):
    found = {name: unannotated(name, node) for name, node in public_functions(source.parse(file).body)}
    missing = [f"{file}: {name} lacks {', '.join(what)}" for name, what in found.items() if what]
    assert not missing, "\n".join(missing)
