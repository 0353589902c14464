"""How the simulator is compiled: numba's options for kernels, for pieces that must melt into them, and for exact code.

fastmath by its flags, not as a whole: infinities are ends of planes, so no flag may assume them away.
"""

import functools
import hashlib
from pathlib import Path

import numba

FASTMATH = {"contract", "reassoc", "nsz", "arcp", "afn"}


@functools.cache
def _stamp(folder):
    """A checksum of all that can be compiled into a function of that folder: it, the packages round it, this one."""
    packages = [folder, *(above for above in folder.parents if (above / "__init__.py").exists()), Path(__file__).parent]
    files = sorted({file for package in packages for file in package.glob("*.py")})
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _compile(function, **options):
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function)
    # numba's own stamp is the time of the function's file alone: a piece changed in another file would go unseen
    compiled._cache._cache_file._source_stamp = _stamp(Path(function.__code__.co_filename).parent)
    return compiled


kernel = functools.partial(_compile, fastmath=FASTMATH)
# without forceinline a piece stays a call, and no loop that holds a call is vectorised
piece = functools.partial(_compile, fastmath=FASTMATH, forceinline=True)
# random numbers and what is drawn from them: the same bits on every machine, so no fastmath
exact = _compile
