"""python -m ballcast.vision.training: train the network that finds the ball."""

from ballcast.vision.training.train import main

if __name__ == "__main__":
    main()
