"""SCORES: what is asked of predictors, how far off they are, and how far off the best possible would be."""
