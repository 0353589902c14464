"""How the simulator is compiled: numba's options, where compiled code is kept, and how kernels call one another.

@kernel   a function that is compiled once; others call it where it is, in place of compiling it again inside themselves
@inlined  a piece that is compiled into its caller: no loop that holds a call is vectorised
@strict   as `kernel`, in strict IEEE arithmetic: random numbers and pixels are the same bits on every machine

fastmath by its flags, not as a whole: infinities are ends of planes, so no flag may assume them away.
Kept code is stamped with the checksum of the kernel's import closure: its module and the modules that this imports,
recursively. Numba's own stamp is the kernel's file alone, so that code changed in another file would go unseen.
"""

import copy
import functools
import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import llvmlite.binding as llvm
import numba
from numba.core import caching, config

FASTMATH = {"contract", "reassoc", "nsz", "arcp", "afn"}
_STRINGS = re.compile(r'"""[\s\S]*?"""')
_IMPORTS = re.compile(r"^(?:from\s+([\w.]+)\s+import\s+(\([^)]*\)|[^\n#]*)|import\s+([\w.]+))", re.MULTILINE)


# --- the import closure -----------------------------------------------------------------------------------------------


@functools.cache
def closure_digest(module: str, file: str) -> str:
    """The checksum (hex) of all source that can be compiled into functions of the module `module` in `file`."""
    return hashlib.sha256(b"".join(Path(f).read_bytes() for f in sorted(import_closure(module, file)))).hexdigest()


def import_closure(module: str, file: str) -> set[str]:
    """The files of a module and of the modules of ours that it imports at its top level, recursively.

    Of ours are modules in the module's own top-level package and in this one. A package's __init__ counts only where
    a name is taken from it.
    """
    files, todo = set(), [(module, file)]
    while todo:
        module, file = todo.pop()
        if file not in files:
            files.add(file)
            todo += _imported(module, file)
    return files


@functools.cache
def _imported(module: str, file: str) -> tuple[tuple[str, str], ...]:
    own = {module.partition(".")[0], __name__.partition(".")[0]}
    found = {}
    for name in _imported_names(Path(file).read_text(encoding="utf-8")):
        if name.partition(".")[0] in own and (path := _source_file(name)):
            found[name] = path
    return tuple(found.items())


def _imported_names(source: str) -> Iterator[str]:
    """What a source imports at its top level: modules, and `package.name` where it may be either."""
    for package, names, module in _IMPORTS.findall(_STRINGS.sub("", source)):
        if module:
            yield module
            continue
        for name in re.sub(r"#[^\n]*|[()]", "", names).split(","):
            if name := name.split(" as ")[0].strip():
                yield f"{package}.{name}"


@functools.cache
def _source_file(name: str) -> str | None:
    """The file of a module, or of the package from which `name` takes a name; None where neither is there."""
    top, *parts = name.split(".")
    loaded = sys.modules.get(top)
    for folder in getattr(loaded, "__path__", ()):
        for depth in (len(parts), len(parts) - 1):
            path = os.path.join(folder, *parts[:depth])
            for file in (path + ".py", os.path.join(path, "__init__.py")):
                if depth and os.path.isfile(file):
                    return file
    return None


# --- compiled code on the disk ----------------------------------------------------------------------------------------


class _Locator(caching._CacheLocator):
    """Where a kernel's compiled code is kept, and its stamp."""

    def __init__(self, function, file):
        self._function, self._file = function, file

    def get_cache_path(self):
        return cache_folder(self._file)

    def get_source_stamp(self):
        return closure_digest(self._function.__module__, self._file)

    def get_disambiguator(self):
        return str(self._function.__code__.co_firstlineno)

    @classmethod
    def from_function(cls, function, file):
        return cls(function, file)


@functools.cache
def cache_folder(file: str) -> str:
    """The folder for compiled code of a source file.

    NUMBA_CACHE_DIR where it is set; __pycache__ beside the source in a checkout; else the user's cache folder, by
    version: files that an uninstall leaves behind in site-packages would hide a later editable install.
    """
    folder = Path(file).parent
    if config.CACHE_DIR:
        return os.path.join(config.CACHE_DIR, caching._CacheLocator.get_suitable_cache_subpath(file))
    root = Path(__file__).parents[1]
    if not (root.name == "ballcast" or "site-packages" in folder.parts) and os.access(folder, os.W_OK):
        return str(folder / "__pycache__")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ballcast"
    version = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    return str(base / version / folder.name)


class _Results(caching.CompileResultCacheImpl):
    _locator_classes = [_Locator]


class _Cache(caching.FunctionCache):
    _impl_class = _Results


# --- the decorators ---------------------------------------------------------------------------------------------------


def _compile(function: Callable, by_address: bool = False, **options) -> Callable:
    compiled = numba.njit(nogil=True, error_model="numpy", no_cfunc_wrapper=True, **options)(function)
    compiled._cache = _Cache(function)
    if by_address:
        _call_by_address(compiled)
    return compiled


def _call_by_address(dispatcher):
    """Make callers call the compiled function by its address.

    Numba links a callee's code into every caller, and optimises it there again. Here callers refer to a symbol, which
    is the address of the one compiled function. A caller that comes from the disk loads its callees first.
    """
    add = dispatcher.add_overload

    def add_overload(result):
        add(result)
        target, codegen = result.target_context, result.codegen
        symbol = _symbol(dispatcher.py_func, result.signature.args)
        llvm.add_symbol(symbol, result.library.get_pointer_to_function(result.fndesc.llvm_func_name))
        declared = copy.copy(result.fndesc)
        declared.mangled_name = symbol
        empty = codegen.create_library(symbol)
        empty._reload_init.add(
            functools.partial(_load, dispatcher.py_func.__module__, dispatcher.py_func.__name__, result.signature.args)
        )
        empty.finalize()
        empty._shared_module = empty._final_module
        result.library._shared_module = _names_alone(result)
        target.remove_user_function(result.entry_point)
        target.insert_user_function(result.entry_point, declared, [empty])

    dispatcher.add_overload = add_overload


def _names_alone(result):
    """A module of the compiled function's names alone: none of its code is linked, so none is kept for linking."""
    names = {result.fndesc.llvm_func_name, result.fndesc.llvm_cpython_wrapper_name}
    defined = (f.name for f in result.library.get_defined_functions())
    return llvm.parse_assembly("".join(f'define void @"{n}"() {{ ret void }}\n' for n in defined if n in names))


def _symbol(function, types):
    digest = hashlib.sha256(repr(types).encode()).hexdigest()[:16]
    return f"{function.__module__}.{function.__qualname__}.{digest}"


def _load(module, name, types):
    """Have a kernel ready for these argument types."""
    getattr(sys.modules[module], name).compile(types)


kernel = functools.partial(_compile, by_address=True, fastmath=FASTMATH)
inlined = functools.partial(_compile, fastmath=FASTMATH, forceinline=True, no_cpython_wrapper=True)
strict = _compile
