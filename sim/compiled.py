"""How the simulator is compiled: one set of numba options for kernels, one for pieces that must melt into them.

fastmath by its flags, not as a whole: infinities are ends of planes, so no flag may assume them away.
"""

import functools

import numba

FASTMATH = {"contract", "reassoc", "nsz", "arcp", "afn"}

kernel = functools.partial(numba.njit, cache=True, nogil=True, fastmath=FASTMATH, error_model="numpy")
# without forceinline a piece stays a call, and no loop that holds a call is vectorised
piece = functools.partial(kernel, forceinline=True)
# random numbers and what is drawn from them: the same bits on every machine, so no fastmath
exact = functools.partial(numba.njit, cache=True, nogil=True, error_model="numpy")
