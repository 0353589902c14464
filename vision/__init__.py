"""Video: frames of files and cameras with their times, and the calibration of a camera from what is known of the place.

Needs OpenCV (`pip install "ballcast[video]"`), which is imported where it is used.
"""

if __name__ != "ballcast.vision":
    raise ImportError("this package is ballcast.vision: write `from ballcast import vision`")
