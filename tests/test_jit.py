"""Compiled code: its stamp is the import closure, callers call by address, and what is compiled is reported."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ballcast.sim import jit

ROOT = Path(__file__).parents[1]
KERNELS = sorted(
    path for folder in ("sim", "models", "evaluation", "render") for path in (ROOT / folder).rglob("*.py")
    if any(f"@{name}\n" in path.read_text(encoding="utf-8") for name in ("kernel", "inlined", "strict"))
)  # fmt: skip
CALLEE = "from ballcast.sim.jit import kernel\n\n@kernel\ndef rate(x):\n    return {} * x\n"
CALLER = (
    "from ballcast.sim.jit import kernel\nfrom toy.low.callee import rate\n\n"
    "@kernel\ndef total(x):\n    return rate(x) + 1.0\n"
)
ASK = "from toy.high import caller; from ballcast.sim import jit; print(caller.total(2.0), jit.compiled_here())"


def module_of(path):
    return "ballcast." + ".".join(path.relative_to(ROOT).with_suffix("").parts)


def closure(name):
    """The files of the import closure of a module of ours, relative to the root."""
    path = ROOT / (name.replace(".", "/") + ".py")
    return {Path(file).relative_to(ROOT).as_posix() for file in jit.import_closure(f"ballcast.{name}", str(path))}


@pytest.fixture
def toy(tmp_path):
    """A package of a callee and a caller in another package; toy.ask() -> what a new process prints."""
    for package in ("toy", "toy/low", "toy/high"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("")
    (tmp_path / "toy/high/caller.py").write_text(CALLER)
    (tmp_path / "toy/high/bystander.py").write_text("x = 1\n")
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}", "NUMBA_CACHE_DIR": str(tmp_path / "c")}

    def ask(factor):
        (tmp_path / "toy/low/callee.py").write_text(CALLEE.format(factor))
        done = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    ask.folder = tmp_path
    return ask


def test_an_edit_of_a_callee_in_another_package_changes_the_callers_answer(toy):
    assert toy(3.0) == ["7.0", "True"]
    assert toy(3.0) == ["7.0", "False"], "compiled twice"
    assert toy(5.0) == ["11.0", "True"]


def test_an_edit_of_a_module_that_is_not_imported_compiles_nothing_anew(toy):
    toy(3.0)
    (toy.folder / "toy/high/bystander.py").write_text("x = 2\n")
    assert toy(3.0) == ["7.0", "False"]


def test_kernels_of_the_engine_do_not_depend_on_sets_or_sports():
    for name in ("lanes", "flight", "tangent", "contact", "detection", "aerodynamics"):
        files = closure(f"sim.kernels.{name}")
        assert all(file == "sim/jit.py" or file.startswith("sim/kernels/") for file in files), files
    assert "models/estimation/fit.py" in closure("evaluation.limits")


@pytest.mark.parametrize("path", KERNELS, ids=module_of)
def test_the_closure_is_what_the_sources_import(path):
    """Held against the syntax tree: every import at the top level of a file in the closure, no more and no less."""
    files = {Path(file) for file in jit.import_closure(module_of(path), str(path))}
    reached, todo = set(), [path]
    while todo:
        file = todo.pop()
        if file in reached:
            continue
        reached.add(file)
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "ballcast":
                for alias in node.names:
                    parts = f"{node.module}.{alias.name}".split(".")[1:]
                    options = [ROOT.joinpath(*parts).with_suffix(".py"), ROOT.joinpath(*parts, "__init__.py")]
                    options += [
                        ROOT.joinpath(*parts[:-1]).with_suffix(".py"),
                        ROOT.joinpath(*parts[:-1], "__init__.py"),
                    ]
                    if parts[:-1] or options[0].exists() or options[1].exists():
                        todo.append(next(option for option in options if option.exists()))
    assert files == reached


def test_kernels_import_ours_at_the_top_level_alone():
    """An import inside an `if` is in no closure. Imports for a type checker are never run. No kernel can call what a
    plain function imports for itself."""
    for path in KERNELS:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        ifs = [n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
        allowed = [*tree.body, *(n for block in ifs for n in block.body)]
        functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
        allowed += [n for f in functions if not f.decorator_list or _is_lazy(f) for n in ast.walk(f)]
        nested = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n not in allowed]
        assert not [n.module for n in nested if n.module.startswith("ballcast")], path


def _is_lazy(function):
    return all("property" in ast.unparse(decorator) for decorator in function.decorator_list)


def test_a_numba_without_those_private_parts_compiles_without_a_cache_and_says_so_once(tmp_path):
    code = (
        "import numba.core.caching as c; del c.CompileResultCacheImpl\n"
        "from ballcast.sim.jit import inlined, kernel\n"
        "half = inlined(lambda x: 0.5 * x)\n"
        "print(kernel(lambda x: half(x) + 1.0)(4.0))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["3.0"], done.stderr
    assert done.stderr.count("compiling without a cache") == 1
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]
