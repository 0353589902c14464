"""Predictors of a user's own, by module:Class from the folder one is in; what is no predictor is refused in a line."""

import sys

import numpy as np
import pytest

from ballcast import models
from ballcast.tracks import Track

OWN = """
import numpy as np
from ballcast.models import Forecast, Predictor

class Stay(Predictor):
    name, side_information, min_frames = "stay", "nothing", 1

    def predict(self, time, position, times):
        return Forecast(np.repeat(position[-1:], len(times), axis=0))

class Other:
    pass
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder one is in, with a module of one's own; what it leaves in Python is taken back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_stay.py").write_text(OWN)
    (tmp_path / "my_broken.py").write_text("1 / 0\n")
    (tmp_path / "my_needs.py").write_text("import no_such_library\n")
    yield tmp_path
    for name in ("my_stay", "my_broken", "my_needs"):
        sys.modules.pop(name, None)


def test_a_predictor_of_ones_own_is_loaded_by_module_and_class(folder):
    predictor = models.load("my_stay:Stay", sport="tennis")
    assert predictor.sport.name == "tennis" and predictor.name == "stay"
    track = Track([0.0, 0.1], [[0, 0, 1], [0, 1, 1]])
    np.testing.assert_array_equal(predictor.forecast(track, [0.2, 0.3]).mean, [[0, 1, 1]] * 2)
    (stream := predictor.stream()).observe(0.0, (1, 2, 3))
    np.testing.assert_array_equal(stream.forecast([0.5]).mean, [[1, 2, 3]])


@pytest.mark.parametrize(
    "name, message",
    [
        ("nobody", "there are gru_physics, "),
        ("my_none:Stay", "no module 'my_none'"),
        ("my_stay:Sty", "my_stay has no 'Sty'"),
        ("my_stay:", "my_stay has no ''"),
        (":Stay", "cannot be imported"),
        ("my_stay:Other", "not a subclass of models.Predictor"),
        ("my_stay:np", "not a subclass of models.Predictor"),
        ("my_broken:Any", "cannot be imported (ZeroDivisionError: division by zero)"),
        ("my_needs:Any", "no module 'no_such_library'"),
    ],
)
def test_what_is_no_predictor_is_refused_in_a_line(folder, name, message):
    with pytest.raises(ValueError) as error:
        models.load(name)
    assert message in str(error.value) and "\n" not in str(error.value)
