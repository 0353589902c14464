"""What evaluate.py's options ask where predictors get pixels: its suites and cases, and what cannot work together."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from ballcast import command, sim
from ballcast.evaluation import pixel_cases, pixel_sources
from ballcast.evaluation.pixel_cases import PIXEL_HISTORIES, PIXEL_HORIZONS, PIXEL_PROTOCOLS, PixelCases
from ballcast.evaluation.pixel_suites import PixelSuite
from ballcast.evaluation.splits import data_folder
from ballcast.tracks import ReadOptions, read_cameras

if TYPE_CHECKING:
    from ballcast.evaluation.evaluate import Options

DEFAULT_SPORT, DEFAULT_RATE = "table_tennis", 60.0  # Hz


def asks_pixels(options: "Options") -> bool:
    """Whether predictors get pixels."""
    is_given = options.pixels or options.cameras or options.suite == "pixels"
    return bool(is_given or any(protocol in PIXEL_PROTOCOLS for protocol in options.protocol))


def pixel_defaults(options: "Options") -> "Options":
    """The options with protocol, history and horizon filled in where they are not given."""
    return replace(
        options, protocol=options.protocol or PIXEL_PROTOCOLS, history=options.history or PIXEL_HISTORIES,
        horizon=options.horizon or PIXEL_HORIZONS,
    )  # fmt: skip


def check_pixels(options: "Options") -> None:
    """Reject options of pixels that cannot work, before anything takes time. Raises ValueError."""
    if others := [protocol for protocol in options.protocol if protocol not in PIXEL_PROTOCOLS]:
        known = ", ".join(PIXEL_PROTOCOLS)
        raise ValueError(f"--protocol {others[0]}: is for tracks in space; predictors that get pixels have {known}")
    if options.suite == "real":
        raise ValueError(f"--suite real: has tracks in space; --protocol {options.protocol[0]} is for --suite pixels")
    if options.suite and (options.pixels or options.cameras):
        raise ValueError("--suite pixels has its own pixels and cameras: leave out --pixels and --cameras")
    if options.pixels and not options.cameras:
        raise ValueError("--pixels need the cameras that saw them: give their file with --cameras")
    if options.tracks and not options.pixels:
        raise ValueError("--tracks: are the truth of --pixels here; simulated balls and --suite pixels have their own")
    if options.pixels and len(options.sport) > 1:
        raise ValueError("--pixels are of one sport: name one with --sport")
    if options.views < 1 or not options.pixel_noise > 0.0:
        raise ValueError(f"--views {options.views} must be at least 1, --pixel-noise {options.pixel_noise:g} above 0")
    is_simulated = not (options.pixels or options.suite)
    if not (is_simulated and options.cameras) and options.pixel_noise != type(options).pixel_noise:
        raise ValueError("--pixel-noise: is that of simulated balls seen by the cameras of --cameras")
    if options.views != type(options).views and (not is_simulated or options.cameras):
        raise ValueError("--views: is for simulated balls seen by random cameras; leave it out here")


def pixel_suites(options: "Options") -> tuple[list[PixelSuite], list[str]]:
    """The suites of pixels, and notes on them."""
    if options.suite:
        own = [sim.load(name) for name in options.sport if name not in sim.names()]
        return pixel_sources.pixel_sets(data_folder(), options.split, options.balls, own, options.only)
    sports = [sim.load(name).without(*options.without) for name in options.sport or (DEFAULT_SPORT,)]
    if options.pixels:
        return [_own_files(options, sports[0])], []
    suites = []
    for sport in sports:
        rigs = pixel_sources.random_rigs(sport, options.views, options.seed)
        if options.cameras:
            rate = options.reading.rate or DEFAULT_RATE
            rigs = pixel_sources.rigs_of(read_cameras(options.cameras), rate, options.pixel_noise)
        suites.append(pixel_sources.simulated_pixels(sport, options.balls, options.seed, rigs))
    return suites, []


def _own_files(options, sport):
    """The suite of a user's own files. ValueError if one camera saw a ball and no sport is named."""
    given = {key: value for key, value in vars(options.reading).items() if value != getattr(ReadOptions(), key)}
    suite = pixel_sources.pixels_from_files(sport, options.pixels, options.cameras, options.tracks, **given)
    alone = next((track for track in suite.tracks if len(set(track.camera.tolist())) < 2), None)
    if alone is not None and not options.sport:
        raise ValueError(f"--pixels: one camera saw {alone.name}; how far away the ball may be, only its sport says; "
                         f"name it with --sport, one of {', '.join(sim.names())} or a file")  # fmt: skip
    command.print_notes(f"{track.name}: {note}" for track in suite.tracks for note in track.notes)
    return suite


def cases_of_pixels(options: "Options", suite: PixelSuite) -> Iterator[PixelCases]:
    """All PixelCases of a suite, protocol by protocol."""
    if "pixels" in options.protocol:
        yield from (pixel_cases.pixels(suite, history, options.horizon) for history in options.history)
    if "pixels_bounce" in options.protocol and suite.has_space:
        yield from (pixel_cases.pixels_bounce(suite, after, options.horizon) for after in pixel_cases.AROUND)
    if "reconstruction" in options.protocol and suite.has_space:
        yield pixel_cases.reconstruction(suite)
