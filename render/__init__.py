"""The 3D scene as pixels, without pygame: a scene, a camera, and what is painted at its depth."""

if __name__ != "ballcast.render":
    raise ImportError("this package is ballcast.render: write `from ballcast import render`")
