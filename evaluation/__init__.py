"""SCORES: what is asked of predictors, how far off they are, and how far off the best possible would be."""

if __name__ != "ballcast.evaluation":
    raise ImportError("this package is ballcast.evaluation: write `from ballcast import evaluation`")
