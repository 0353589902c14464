"""Environments for learning agents: gymnasium.make("ballcast/Catch-v0"). gymnasium is imported only in this package.

import ballcast.env                                                             # registers it
environment = gymnasium.make("ballcast/Catch-v0", observe="forecast")
environments = gymnasium.make_vec("ballcast/Catch-v0", num_envs=1024)           # all stepped at once
"""

if __name__ != "ballcast.env":
    raise ImportError("this package is ballcast.env: write `from ballcast import env`")

NAME = "ballcast/Catch-v0"


def register() -> None:
    """Make the environments known to gymnasium; once is enough. ImportError, with one line, where it is missing."""
    try:
        import gymnasium
    except ModuleNotFoundError as error:
        raise ImportError("ballcast.env needs gymnasium: pip install 'ballcast[env]'") from error
    if NAME not in gymnasium.registry:
        one, many = "ballcast.env.catch:Catch", "ballcast.env.catch:CatchVector"
        gymnasium.register(NAME, entry_point=one, vector_entry_point=many)


register()
