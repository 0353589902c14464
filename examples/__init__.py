"""Short programs to begin from, each on one task of your own: python -m examples.own_model, from the repository."""
