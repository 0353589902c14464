"""How Ballcast is compiled: numba's options, where compiled code is kept, and how kernels call one another.

    @kernel    compiled once; other kernels call it by its address
    @inlined   compiled into its caller: numba vectorises no loop that holds a call
    @strict    as plain numba, without fastmath: random numbers and pixels are the same bits on every machine

fastmath is a set of flags: no flag may assume infinities away, because they are the ends of planes.

Compiled code is kept on the disk (code_folder.py says where), stamped with the checksum of the kernel's import closure:
its own module and the modules of ours that this imports at its top level, recursively. Numba's own stamp covers the
kernel's file alone, so that an edit of what it calls would go unnoticed.
"""

import copy
import functools
import hashlib
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from numba.core import caching, codegen, config, dispatcher, event, types
from numba.extending import overload

FASTMATH = {"contract", "reassoc", "nsz", "arcp", "afn"}
# private parts of numba that caching and calls by address rest on
_PRIVATE = ((caching, "CompileResultCacheImpl"), (caching, "FunctionCache"), (caching, "_CacheLocator"),
            (dispatcher.Dispatcher, "add_overload"), (codegen.CPUCodeLibrary, "_get_module_for_linking"))  # fmt: skip
_STRINGS = re.compile(r'"""[\s\S]*?"""')
_IMPORTS = re.compile(r"^(?:from\s+([\w.]+)\s+import\s+(\([^)]*\)|[^\n#]*)|import\s+([\w.]+))", re.MULTILINE)
_dispatchers = []  # of every function compiled by this module, in the order of their definition


@functools.cache
def closure_digest(module: str, file: str) -> str:
    """The checksum (hex) of the source that can be compiled into functions of the module named `module`, in `file`."""
    return hashlib.sha256(b"".join(Path(f).read_bytes() for f in sorted(import_closure(module, file)))).hexdigest()


def import_closure(module: str, file: str) -> set[str]:
    """The files of a module and of the modules of ours that it imports at its top level, recursively.

    Ours are the modules of its own top-level package and of ballcast. The __init__ of a package counts only where a
    name is taken from it.
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
    ours = {module.partition(".")[0], __name__.partition(".")[0]}
    names = (name for name in imported_names(Path(file).read_text(encoding="utf-8")) if name.partition(".")[0] in ours)
    return tuple((name, path) for name in names if (path := _source_file(name)))


def imported_names(source: str) -> Iterator[str]:
    """What a source imports at its top level: `module`, or `package.name` where the name may be a module or not."""
    for package, names, module in _IMPORTS.findall(_STRINGS.sub("", source)):
        listed = (name.split(" as ")[0].strip() for name in re.sub(r"#[^\n]*|[()]", "", names).split(","))
        yield from [module] if module else (f"{package}.{name}" for name in listed if name)


@functools.cache
def _source_file(name: str) -> str | None:
    """The file of a module, or of the package from which `name` takes a name; None if neither exists."""
    top, *parts = name.split(".")
    for folder in getattr(sys.modules.get(top), "__path__", ()):
        for depth in (len(parts), len(parts) - 1):
            path = os.path.join(folder, *parts[:depth])
            for file in (path + ".py", os.path.join(path, "__init__.py")):
                if depth and os.path.isfile(file):
                    return file
    return None


@functools.cache
def _cache_class() -> type | None:
    """The class that keeps compiled code; None, said once, with a numba in which it cannot be built."""
    if missing := [name for owner, name in _PRIVATE if not hasattr(owner, name)]:
        print(f"Ballcast: numba {numba.__version__} has no {missing[0]}: compiling without a cache", file=sys.stderr)
        return None

    from ballcast.sim.code_folder import cache_folder, note  # here, so that an edit of it compiles nothing

    class Locator(caching._CacheLocator):
        def __init__(self, function, file):
            self.function, self.file = function, file

        def get_cache_path(self):
            return cache_folder(os.path.dirname(self.file))

        def get_source_stamp(self):
            return closure_digest(self.function.__module__, self.file)

        def get_disambiguator(self):
            """Part of the names of the files: a process that is stopped between writing the index, which has the
            stamp, and the code leaves an index of the new source beside code of the old one."""
            return f"{self.function.__code__.co_firstlineno}-{self.get_source_stamp()[:8]}"

        @classmethod
        def from_function(cls, function, file):
            return cls(function, file) if cache_folder(os.path.dirname(file)) else None

    results = type("Results", (caching.CompileResultCacheImpl,), {"_locator_classes": [Locator]})

    class Cache(caching.FunctionCache):
        _impl_class = results

        def load_overload(self, sig, target_context):
            """None too where the file holds another signature: two processes that save at once choose one name."""
            try:
                result = super().load_overload(sig, target_context)
            except (OSError, ImportError, AttributeError):  # unreadable, or it names a module or a class that is gone
                return None
            if result is None or result.signature.args != tuple(sig):
                return None
            # a library loaded from the disk forgets what it loaded first; a caller that links it has to load it too
            result.library._reload_init.update(result.reload_init or ())
            return result

        def save_overload(self, sig, data):
            """Without a place on the disk the code is kept in memory alone."""
            try:
                super().save_overload(sig, data)
                function, digest = self._impl.filename_base.rpartition(".py")[0].rsplit("-", 1)
                for file in Path(self.cache_path).glob(f"{function}-*.nb[ic]"):
                    if not file.name.startswith(f"{function}-{digest}."):  # of an older source
                        file.unlink(missing_ok=True)
            except OSError as error:
                note(f"compiled code cannot be kept in {self.cache_path} ({error.strerror}); compiling goes on without")

    return Cache


def _cache_of(function):
    """The cache of a function's compiled code; None where it cannot be kept."""
    try:
        return _cache_class() and _cache_class()(function)
    except RuntimeError:  # there is no folder for it
        return None


def _call_by_address(kernel):
    """Make other kernels call this one by its address.

    Numba links the code of a callee into every caller and optimises it there again. Here a caller refers to a symbol
    instead, whose address is that of the one compiled function. A caller that is loaded from the disk first loads the
    kernels that it calls.
    """
    add = kernel.add_overload

    def add_overload(result):
        add(result)
        function, arguments = kernel.py_func, result.signature.args
        digest = hashlib.sha256(repr(arguments).encode()).hexdigest()[:16]
        symbol = f"{function.__module__}.{function.__name__}.{digest}"
        llvm.add_symbol(symbol, result.library.get_pointer_to_function(result.fndesc.llvm_func_name))
        library = result.codegen.create_library(symbol)  # empty: it only tells what is to be loaded first
        library._reload_init.add(functools.partial(_load, function.__module__, function.__name__, arguments))
        library.finalize()
        library._shared_module = library._final_module
        result.library._shared_module = _names_alone(result)
        declared = copy.copy(result.fndesc)
        declared.mangled_name = symbol
        result.target_context.remove_user_function(result.entry_point)
        result.target_context.insert_user_function(result.entry_point, declared, [library])

    kernel.add_overload = add_overload


def _names_alone(result):
    """A module with the names of the compiled functions and no code, because nobody links this code."""
    names = {result.fndesc.llvm_func_name, result.fndesc.llvm_cpython_wrapper_name}
    names &= {function.name for function in result.library.get_defined_functions()}
    return llvm.parse_assembly("".join(f'define void @"{name}"() {{ ret void }}\n' for name in names))


def _load(module, name, arguments):
    """Have a kernel ready for arguments of these types."""
    getattr(importlib.import_module(module), name).compile(arguments)


def _compile(function: Callable, by_address: bool = False, **options) -> Callable:
    if config.DISABLE_JIT:  # for a debugger
        return function
    compiled = numba.njit(nogil=True, error_model="numpy", no_cfunc_wrapper=True, **options)(function)
    _drop_literals(compiled)
    if cache := _cache_of(function):
        compiled._cache = cache
        if by_address:
            _call_by_address(compiled)
    _dispatchers.append(compiled)
    return compiled


def _drop_literals(compiled):
    """Have callers ask for plain types: a constant as an argument would be a type, and a signature, of its own."""
    template = compiled.get_call_template
    compiled.get_call_template = lambda args, kws: template(
        tuple(map(types.unliteral, args)), {name: types.unliteral(kind) for name, kind in kws.items()}
    )


kernel = functools.partial(_compile, by_address=True, fastmath=FASTMATH)
inlined = functools.partial(_compile, fastmath=FASTMATH, forceinline=True, no_cpython_wrapper=True)
strict = _compile


def by_precision(make: Callable[[type], Any]) -> Callable:
    """A function for kernels: constants(x) is make(type of the float x), known to the compiler.

    As a field of an argument the numbers would be read from Python at every call.
    """

    def constants(x):
        return make(type(x))

    @overload(constants)
    def _(x):
        numbers = make(np.float32 if x == types.float32 else np.float64)
        return lambda x: numbers

    return constants


def compiled_here() -> bool:
    """Whether this process compiled a function of ours, in place of loading it."""
    return any(function.stats.cache_misses for function in _dispatchers)


def is_kept(function: Any) -> bool:
    """Whether compiled code of a function is on the disk, made from today's source.

    An index may name a module or a class that is gone.
    """
    try:
        return isinstance(function._cache, caching.FunctionCache) and bool(function._cache._cache_file._load_index())
    except (OSError, ImportError, AttributeError):
        return False


class Progress(event.Listener):
    """Calls report(number, total, name) as the compiling of each function of ours begins; the total is an estimate.

    At the end it calls report(count, count, "").
    """

    def __init__(self, report: Callable[[int, int, str], None]):
        self.report, self.count, self.total, self.depth = report, 0, 0, 0

    def on_start(self, event: event.Event) -> None:
        function, self.depth = event.data["dispatcher"], self.depth + 1
        if function in _dispatchers:
            self.total = self.total or sum(not is_kept(one) for one in _dispatchers)
            self.count += 1
            self.report(self.count, max(self.total, self.count), function.py_func.__name__)

    def on_end(self, event: event.Event) -> None:
        self.depth -= 1
        if self.depth == 0 and self.count:
            self.report(self.count, self.count, "")


def report_compiling(report: Callable[[int, int, str], None]) -> None:
    """From now on, call report(number, total, name) whenever a function of ours is compiled: see Progress."""
    event.register("numba:compile", Progress(report))
