"""Scores: what predictors are asked, how large their errors are, and how small they can be at best."""

if __name__ != "ballcast.evaluation":
    raise ImportError("this package is ballcast.evaluation: write `from ballcast import evaluation`")
