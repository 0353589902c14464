"""What networks read: the same in other units of length and time, of the same size for every sport."""

from dataclasses import replace

import numpy as np
import pytest

from ballcast import sim
from ballcast.models.encoding import features, nominal
from ballcast.models.encoding.features import FILTER_LAYOUT, make_frontend
from ballcast.models.encoding.scales import DESCRIPTORS, make_scales
from ballcast.models.estimation.filter_state import FilterSummary, new_filter_states
from ballcast.models.estimation.unknowns import UNKNOWNS
from ballcast.sim.kernels.compiled_sport import compile_sport
from ballcast.sim.random_sports import scaled_launch

LENGTH = 2.0  # a unit of length is half as long; time is counted so that g stays the same
TIME = np.sqrt(LENGTH)
UNITS = np.array([LENGTH] * 3 + [LENGTH / TIME] * 3 + [1 / TIME] * 3 + [1.0] * 4 + [LENGTH / TIME] * 2 + [LENGTH])
SECONDS = ("time",)  # features in which seconds enter
START = np.array([0.2, -0.9, 0.25, 0.4, 5.0, 1.2, -90.0, 20.0, 40.0, 0.1, -0.2, 0.05, 0.1, 0.3, -0.2, 0.004])


def in_other_units(sport):
    """The sport where all lengths are LENGTH times as long, and times TIME times."""
    ball = replace(sport.ball, radius=LENGTH * sport.ball.radius, mass=LENGTH**3 * sport.ball.mass)
    nu = sport.world.nu * LENGTH**2 / TIME
    world = replace(sport.world, density=sport.world.rho, viscosity=nu)
    surfaces = tuple(
        replace(
            s,
            low=tuple(LENGTH * v for v in s.low),
            high=tuple(LENGTH * v for v in s.high),
            rod=LENGTH * s.rod,
            radius=LENGTH * s.radius,
            restitution=replace(
                s.restitution,
                at=s.restitution.at * LENGTH / TIME,
                slope=s.restitution.slope * TIME / LENGTH,
                curve=s.restitution.curve * (TIME / LENGTH) ** 2,
            ),
        )
        for s in sport.surfaces
    )
    radius = LENGTH * sport.ball.radius
    launches = (scaled_launch(x, LENGTH, LENGTH / TIME, 1 / TIME, (radius, radius)) for x in sport.launches)
    drag = sport.drag
    if drag.form == "goff":  # the third and fourth number are speeds
        drag = replace(drag, values=tuple(v * LENGTH / TIME if k in (2, 3) else v for k, v in enumerate(drag.values)))
    lift = sport.lift
    if lift.form == "crisis":  # the last number but one is a speed
        *numbers, speed, width = lift.values
        lift = replace(lift, values=(*numbers, speed * LENGTH / TIME, width))
    return replace(sport, ball=ball, world=world, drag=drag, lift=lift, surfaces=surfaces, launches=tuple(launches))


def prior_in_other_units(prior):
    noise = np.array([LENGTH**2] * 3 + [TIME**2])
    covariance = prior.covariance * np.outer(UNITS, UNITS)
    return prior._replace(mean=prior.mean * UNITS, covariance=covariance, noise=prior.noise * noise)


@pytest.fixture(scope="module", params=["table_tennis", "soccer", "golf"])
def frontends(request):
    """The frontend of a sport, and of the same one in other units."""
    sport = sim.load(request.param)
    first = make_frontend(sport, "filter")
    other = in_other_units(sport)
    prior = prior_in_other_units(first.filter_prior)
    return first, first._replace(sport=compile_sport(other), filter_prior=prior, scales=make_scales(other, prior))


def filter_summary(generator):
    """A FilterSummary of what a filter might know after 20 frames."""
    sd = np.array([0.002] * 3 + [0.1] * 3 + [40.0] * 3 + [0.1, 0.2, 0.05, 0.3, 0.5, 0.5, 0.003])
    recent, ages = np.zeros((97, 4)), np.arange(20) / 180
    recent[:20, 0] = 3.0 - ages
    recent[:20, 1:] = START[:3] - ages[:, None] * START[3:6] + generator.normal(0, 0.002, (20, 3))
    noise = np.array([4e-6, 5e-6, 2e-6, 1e-7])
    innovation = generator.normal(0, 0.003, 3)
    return FilterSummary(
        20, START, np.diag(sd**2), noise, innovation, np.full(3, 0.003), 2.5, 1.3, 2.9, 2.95, recent,
        2.5, 0.6, 3.1, 0.2, (0.1, 0.2, 0.3),
    )  # fmt: skip


def summary_in_other_units(known):
    recent = known.recent_frames * [TIME, LENGTH, LENGTH, LENGTH]
    return known._replace(
        mean=known.mean * UNITS,
        covariance=known.covariance * np.outer(UNITS, UNITS),
        noise=known.noise * [LENGTH**2, LENGTH**2, LENGTH**2, TIME**2],
        innovation=known.innovation * LENGTH,
        innovation_sd=known.innovation_sd * LENGTH,
        start_time=known.start_time * TIME,
        last_contact_time=known.last_contact_time * TIME,
        recent_frames=recent,
    )


def columns(names):
    """Which columns of `filter` belong to these names."""
    owner = np.repeat(list(FILTER_LAYOUT), list(FILTER_LAYOUT.values()))
    return np.isin(owner, names)


def test_features_are_the_same_in_other_units(frontends):
    known, rows = filter_summary(np.random.default_rng(0)), []
    for frontend, seen, gap in zip(frontends, (known, summary_in_other_units(known)), (1 / 180, TIME / 180)):
        row = np.empty(features.FEATURE_SIZES["filter"])
        features._filter_features(frontend.sport, frontend.scales, seen, gap, row)
        rows.append(row)
    in_seconds = columns(SECONDS)
    in_seconds[-len(DESCRIPTORS) :] = ["(s)" in name for name in DESCRIPTORS]
    assert np.isfinite(rows[0]).all() and in_seconds.sum() == 4
    np.testing.assert_allclose(rows[0][~in_seconds], rows[1][~in_seconds], atol=2e-4)
    assert (rows[0][columns(["mean", "velocity", "height", "air"])] != 0).any()


def test_descriptors_are_the_same_in_other_units(frontends):
    first, other = (frontend.scales.descriptors for frontend in frontends)
    same = np.array(["(s)" not in name for name in DESCRIPTORS])
    np.testing.assert_allclose(first[same], other[same], atol=1e-6)


@pytest.mark.parametrize("feature_set", ["filter", "frames"])
@pytest.mark.parametrize("name", [*sim.names(), "random"])
def test_every_sport_has_as_many_features_and_none_is_far_off(name, feature_set):
    sport = sim.random_sport(5, purpose="test") if name == "random" else sim.load(name)
    frontend, balls = make_frontend(sport, feature_set), sim.draw(sport, 4, purpose="test")
    rows, size = [], features.FEATURE_SIZES[feature_set] + 1
    for begin, end in zip(balls.offsets[:-1], balls.offsets[1:]):
        state = new_filter_states(1)[0]
        for k in range(begin, min(end, begin + 60)):
            rows.append(np.empty(size))
            features.extract(frontend, state, balls.time[k], balls.position[k], rows[-1])
    assert np.isfinite(rows).all() and np.abs(rows).max() < 80
    x, variances, positions = np.empty(UNKNOWNS), np.empty((3, 3)), np.empty((nominal.HORIZONS, 3))
    landing, landing_sd, contacts = np.empty(4), np.empty(4), np.empty(nominal.CONTACT_FEATURES)
    times, row = nominal.HORIZON_STEP * np.arange(1, nominal.HORIZONS + 1), np.empty(nominal.NOMINAL_FEATURES)
    kind = frontend.feature_set
    nominal.fill_nominal_start(kind, state, x, variances)
    nominal.nominal_trajectory(kind, frontend.sport, x, variances, times, positions, landing, landing_sd, contacts)
    nominal.fill_nominal_features(frontend.scales, frontend.sport, x, variances, positions, landing, contacts, row)
    assert np.isfinite(row).all() and np.abs(row).max() < 60
    assert state["frames"] == min(end - begin, 60)


def test_a_sport_without_surfaces_is_refused_in_one_line():
    with pytest.raises(sim.SportError, match=r"table_tennis has no surfaces.* add a \[\[surface\]\]") as caught:
        make_frontend(sim.load("table_tennis").replace(surfaces=()), "filter")
    assert "\n" not in str(caught.value)


def test_unknowns_that_do_not_vary_in_a_sport_are_no_features():
    scales = make_frontend(sim.load("table_tennis"), "filter").scales
    assert 13 not in scales.active and 14 not in scales.active and len(scales.active) == 14  # no wind indoors
    assert (scales.inverse_sd[[13, 14]] == 0).all() and (scales.inverse_sd[scales.active] > 0).all()


def test_a_ball_over_the_net_has_a_clearance_and_one_near_the_edge_a_margin():
    frontend = make_frontend(sim.load("table_tennis"), "filter")
    variances = np.array([[1e-4] * 3, [0.0] * 3, [0.0] * 3])  # 1 cm at all times

    def features_of(x):
        x, positions, times = np.append(x, np.zeros(7)), np.empty((20, 3)), 0.05 * np.arange(1, 21)
        landing, landing_sd, contacts, row = np.empty(4), np.empty(4), np.empty(3), np.empty(nominal.NOMINAL_FEATURES)
        parts = frontend.sport, x, variances
        nominal.nominal_trajectory(0, *parts, times, positions, landing, landing_sd, contacts)
        nominal.fill_nominal_features(frontend.scales, *parts, positions, landing, contacts, row)
        return contacts, np.sinh(row[-2]), row[-1]

    contacts, clearance, time = features_of([0, -1.0, 0.3, 0, 5.0, 1.2, 0, 0, 0])
    assert 0.15 < time < 0.25 and 10 < clearance < 25  # at the net, some 15 cm above it
    assert 0.25 < contacts[0] < 0.45 and 30 < np.sinh(contacts[2]) < 80  # onto the other half
    contacts, clearance, _ = features_of([0.7, -1.0, 0.3, 0.0, 5.0, 1.2, 0, 0, 0])
    assert 4 < np.sinh(contacts[2]) < 8  # 6 cm from the side
    contacts, clearance, _ = features_of([0.85, -1.0, 0.3, 0.0, 5.0, 1.2, 0, 0, 0])
    assert 5 < clearance < 10 and contacts[0] > 0.4  # 7 cm beside the table, onto the floor
    assert np.sinh(contacts[2]) > 500
