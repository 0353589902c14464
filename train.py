"""Train a network on balls that are simulated as it learns. See `python train.py --help`."""

from ballcast.models.training.train import main

if __name__ == "__main__":
    main()
