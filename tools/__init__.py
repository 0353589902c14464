"""Tools for work on the repository: python -m tools.NAME."""
