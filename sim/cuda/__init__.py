"""The engine on a graphics processor, by numba-cuda (extra `gpu`): the CPU's scalar functions, one ball a thread."""
