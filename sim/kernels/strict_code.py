"""Two more decorators for compiled code that is the same bits on every machine; see jit.py for the others.

@strict_kernel    as @kernel, without fastmath: compiled once, called by its address
@inlined_strict   as @inlined, without fastmath: compiled into its caller
"""

import functools

from ballcast.sim.jit import strict

strict_kernel = functools.partial(strict, by_address=True)
inlined_strict = functools.partial(strict, forceinline=True, no_cpython_wrapper=True)
