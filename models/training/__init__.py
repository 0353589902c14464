"""How networks are trained: batches of balls, learners, and runs of train.py."""

import importlib.util
from typing import Any


def network_of(config: dict) -> tuple[str, str]:
    """The trunk of a run's network, and the name of the features that it reads (models/encoding/features.py)."""
    model = config["model"]
    if ":" in model:
        return model, config.get("features") or "filter"
    usual = "frames" if model == "mlp" else "raw" if model == "gru_raw" else "filter"
    return model.removesuffix("_physics").removesuffix("_raw"), config.get("features") or usual


def makes_on_device(config: dict) -> bool:
    """Whether a run makes its batches on the GPU that learns from them: where it could, with numba-cuda, and if it asks
    for no `workers`, threads of the CPU."""
    return needs_no_cpu(config) and not config.get("workers") and importlib.util.find_spec("numba_cuda") is not None


def needs_no_cpu(config: dict) -> bool:
    """Whether a run on a GPU could make its batches there: of fresh balls, with features that can be made there."""
    is_simulated = not (config["tracks"] or config["data"] or config.get("pixels"))
    is_known = config["model"] != "tokens" and network_of(config)[1] in ("raw", "filter")
    return config["device"].startswith("cuda") and is_simulated and is_known


def make_learner(config: dict, rank: int = 0, ranks: int = 1) -> Any:
    """The learner for a run's config: a FineTuner with recorded tracks, a PixelLearner with pixels, a TokenLearner for
    `tokens`, else a Learner."""
    from ballcast.models.training.finetune import FineTuner
    from ballcast.models.training.learner import Learner
    from ballcast.models.training.pixel_learner import PixelLearner
    from ballcast.models.training.token_learner import TokenLearner

    if config["tracks"]:
        return FineTuner(config, rank, ranks)
    if config.get("pixels"):
        return PixelLearner(config, rank, ranks)
    return (TokenLearner if config["model"] == "tokens" else Learner)(config, rank, ranks)


def check_recorded(config: dict) -> None:
    """Refuse recorded tracks that cannot be learned from, before anything takes time. Raises ValueError, one line."""
    if config["tracks"]:
        from ballcast.models.training.finetune import read_recordings

        read_recordings(config, notify=True)
