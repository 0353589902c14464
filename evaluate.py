"""Score predictors on the same balls, simulated and recorded. See `python evaluate.py --help`."""

from ballcast.evaluation.evaluate import main

if __name__ == "__main__":
    main()
