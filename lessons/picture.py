"""Pictures of a ball, and a small network that reads them: one says where the ball is, and not where it goes."""

import numpy as np
import torch
from torch import nn

from lessons.drawing import HIDDEN, OUTPUT, arrow, box, canvas
from lessons.page import Page, finish
from lessons.positions import errors, positions, train

WIDTH, HEIGHT, SIDE, BOTTOM = 48, 24, 0.08, -0.5  # px, px, m of a pixel, m: height of the lower edge
RADIUS, NOISE, GAP, LEAD_TIME = (
    1.1,
    0.03,
    3,
    0.2,
)  # px of the blurred disc, of full brightness, frames between pictures, s
COUNTS = (1, 2, 4)  # pictures that are given
STREAK = 2  # frames during which the shutter is open, for streaks
BALL_COUNT, TEST_COUNT, FILTERS, STEPS = 15_000, 1000, 8, 800
MOMENTS = 6  # of each flight
CLOSE = 0.08  # m, one pixel: the pictures of two balls are alike if they are so close


class Camera(nn.Module):
    """Side views (B, K, HEIGHT, WIDTH) of a ball at K moments, from points (B, K, S, 2) m along and up: while the
    shutter is open the ball is at S points, and each adds its share of light. The pixels have noise."""

    def forward(self, points):
        columns = points[..., 0] / SIDE + (WIDTH - 1) / 2  # px from the left
        rows = (points[..., 1] - BOTTOM) / SIDE  # px from below
        across, up = (torch.exp(-0.5 * ((torch.arange(size) - at[..., None]) / RADIUS) ** 2)
                      for size, at in ((WIDTH, columns), (HEIGHT, rows)))  # fmt: skip
        light = torch.einsum("bksh,bksw->bkhw", up, across) / points.shape[2]
        return light + NOISE * torch.randn(light.shape)


def convolution(pictures, filters, bias, stride):
    """Feature maps (B, F, H', W') of pictures (B, K, H, W): the same filters (F, K, 5, 5) are laid over every patch."""
    patches = (
        nn.functional.pad(pictures, (2, 2, 2, 2)).unfold(2, 5, stride).unfold(3, 5, stride)
    )  # (B, K, H', W', 5, 5)
    return torch.einsum("bkhwij,fkij->bfhw", patches, filters) + bias[:, None, None]


class PictureNetwork(nn.Module):
    """Two layers of filters, then a hidden layer; nn.Conv2d computes what `convolution` does, faster."""

    def __init__(self, pictures):
        super().__init__()
        self.first = nn.Conv2d(pictures, FILTERS, 5, stride=2, padding=2)
        self.second = nn.Conv2d(FILTERS, 16, 5, stride=2, padding=2)
        self.hidden = nn.Linear(16 * (HEIGHT // 4) * (WIDTH // 4), 64)
        self.output = nn.Linear(64, 2)

    def forward(self, pictures):  # (B, K, HEIGHT, WIDTH)
        maps = torch.relu(self.first(pictures))  # (B, FILTERS, 12, 24)
        maps = torch.relu(self.second(maps))  # (B, 16, 6, 12)
        return self.output(torch.relu(self.hidden(maps.flatten(1))))  # (B, 2) m, along and up


def moments(count, purpose, seed=0):
    """Moments of `count` flights, inside the picture: points (B, 4, STREAK + 1, 2) m along and up of four pictures,
    the oldest first, each while a shutter is open; and displacements (B, 2) m in the LEAD_TIME after.

    Half are mirrored.
    """
    each = (part.repeat_interleave(MOMENTS, 0) for part in positions(count, seed=seed, purpose=purpose))
    path, ahead = (part[..., 1:] for part in each)
    count *= MOMENTS
    generator = torch.Generator().manual_seed(seed)
    last = torch.randint(3 * GAP + STREAK, path.shape[1], (count, 1, 1), generator=generator)
    frames = last + torch.arange(-3 * GAP, 1, GAP)[:, None] + torch.arange(-STREAK, 1)
    balls = torch.arange(count)
    points, ahead = path[balls[:, None, None], frames], ahead[balls, last[:, 0, 0]]
    side = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    points[..., 0] *= side[:, None, None]
    ahead[:, 0] *= side
    low, high = torch.tensor([-1.7, -0.4]), torch.tensor([1.7, 1.3])
    inside = ((points > low) & (points < high)).flatten(1).all(1)
    return points[inside], ahead[inside]


def sharp(points, count):
    """Points (B, count, 1, 2) of the last pictures, each taken in an instant."""
    return points[:, -count:, -1:]


def learn(points, ahead, steps=STEPS, seed=0):
    """A camera with a network behind it, trained on points (B, K, S, 2) and displacements (B, 2)."""
    torch.manual_seed(seed)
    return train(nn.Sequential(Camera(), PictureNetwork(points.shape[1])), points, ahead, steps, rate=2e-3)


def fan(points, count, reference):
    """Which of the balls had the same last `count` pictures as ball number `reference`, to within CLOSE."""
    off = (sharp(points, count) - sharp(points, count)[reference]).norm(dim=-1)
    return (off < CLOSE).flatten(1).all(1)


def spread(ends):
    """The median distance, m, of points (N, 2) from their mean."""
    return float((ends - ends.mean(0)).norm(dim=-1).median())


def main():
    page = Page("picture")
    page.code(Camera, convolution, PictureNetwork)
    page.print(f"where is the ball {LEAD_TIME:g} s later? a network is given its last pictures, {GAP / 60:g} s apart")
    (points, ahead), (test, truth) = moments(BALL_COUNT, "train"), moments(TEST_COUNT, "test")
    reference = typical(points, ahead)
    page.print(f"{'pictures given':52}" + "".join(f"{k:>7}" for k in COUNTS))
    groups = {k: fan(points, k, reference) for k in COUNTS}
    rows = {
        "balls with pictures like those of one ball": [int(group.sum()) for group in groups.values()],
        "spread of their true positions, mm": [1e3 * spread(ahead[group]) for group in groups.values()],
    }
    networks = {k: learn(sharp(points, k), ahead) for k in COUNTS}
    off = [np.median(errors(network, sharp(test, k), truth)) for k, network in networks.items()]
    for name, row in (rows | {f"error of the network, mm, median of {len(test)} test balls": off}).items():
        page.print(f"{name:52}" + "".join(f"{value:7.0f}" for value in row))
    page.next_block()
    streaks(page, points, ahead, test, truth)
    page.next_block()
    solutions(page, networks[2], test, truth)
    example = sharp(test, 2)[truth[:, 0].abs() > 0.8][:1]  # (1, 2, 1, 2): a fast ball
    draw_network(page, example)
    draw(page, points, ahead, groups)
    draw_filters(page, networks[2], example)
    page.close()


def typical(points, ahead):
    """Of 300 balls in the air near the middle that go far, the one whose four pictures are like most others."""
    along, up = points[:, -1, -1].T
    far = (ahead[:, 0].abs() > 0.5) & (along.abs() < 0.4) & (up > 0.25)
    return max(far.nonzero()[:300, 0].tolist(), key=lambda k: int(fan(points, max(COUNTS), k).sum()))


def streaks(page, points, ahead, test, truth):
    """Print the errors of networks that are given one picture with a streak, and one without."""
    page.print(
        f"one picture, the shutter open for {STREAK / 60:.3f} s: how far does the ball go along, to either side?"
    )
    networks = [learn_distance(points[:, -1:, k:], ahead) for k in (0, STREAK)]
    for network, name, k in zip(networks, ("a streak", "no streak"), (0, STREAK)):
        with torch.no_grad():
            distance = network(test[:, -1:, k:])[:, 0]
        page.print(f"with {name}: error "
                   f"{1e3 * (distance - truth[:, 0].abs()).abs().median():.0f} mm")  # fmt: skip


def learn_distance(points, ahead):
    """The same network, asked how far a ball moves along, whichever way."""
    return learn(points, torch.stack([ahead[:, 0].abs(), torch.zeros(len(ahead))], 1))


def solutions(page, network, test, truth):
    """Print the figures of both exercises."""
    pair = sharp(test, 2)
    with torch.no_grad():
        right, wrong = network(pair), network(pair.flip(1))
    page.print(f"two pictures in order: the forecast goes the right way along for "
               f"{float((right[:, 0] * truth[:, 0] > 0).float().mean()):.0%} of the balls; "
               f"swapped: {float((wrong[:, 0] * truth[:, 0] > 0).float().mean()):.0%}")  # fmt: skip
    page.next_block()
    filters = sum(part.numel() for part in network[1].first.parameters())
    outputs = FILTERS * (HEIGHT // 2) * (WIDTH // 2)
    page.print(f"weights of the first layer: {filters:,}; of a layer with a weight for every pixel and output: "
               f"{(2 * HEIGHT * WIDTH + 1) * outputs:,}")  # fmt: skip
    picture = Camera()(pair[:1])
    with torch.no_grad():
        maps = [network[1].first(p)[..., 4:-4] for p in (picture, picture.roll(4, -1))]
    page.print(f"the picture moves by 4 pixels: the maps move by 2, and are the same to "
               f"{float((maps[0][..., :-2] - maps[1][..., 2:]).abs().max()):.0e}")  # fmt: skip


def draw_network(page, example):
    """Pictures, maps, layers."""
    figure, plot = canvas(page, (0, 13), (0, 3.8))
    torch.manual_seed(0)
    for k, picture in enumerate(Camera()(example)[0]):
        extent = (0.9, 3.5, 0.65 + 1.4 * k, 1.95 + 1.4 * k)
        plot.imshow(picture, cmap="gray", origin="lower", extent=extent, vmin=0, vmax=1)
        plot.text(0.8, 1.3 + 1.4 * k, ("before", "now")[k], ha="right", va="center", fontsize=9)
    plot.set(xlim=(0, 13), ylim=(0, 3.8))
    boxes = (5.2, "maps", 1.0), (7.4, "maps", 0.7), (9.6, "$a$", 1.0), (11.8, "$y$", 0.4)
    for x, text, half_height in boxes:
        box(plot, x, 2.0, text, OUTPUT if x > 11 else HIDDEN, 0.5, half_height)
    arrows = (3.8, 4.7, "filters"), (5.7, 6.9, "filters"), (7.9, 9.1, "$W_1, b_1$"), (10.1, 11.3, "$W_2, b_2$")
    for start, end, text in arrows:
        arrow(plot, (start, 2.0), (end, 2.0), text, shift=(0, 0.25))
    notes = (2.0, "pictures"), (5.2, "8 of 12 x 24"), (7.4, "16 of 6 x 12"), (9.6, "64 numbers"), (11.8, "where next")
    for x, text in notes:
        plot.text(x, 0.4, text, ha="center", fontsize=9)
    page.save(figure, "drawing")


def draw(page, points, ahead, groups):
    """The fans of balls with like pictures."""
    figure, plots = page.figure(3, height=2.6)
    for plot, (k, group) in zip(plots, groups.items()):
        for ball, end in list(zip(points[group], ahead[group]))[:60]:
            now = ball[-1, -1]
            plot.plot([now[0], now[0] + end[0]], [now[1], now[1] + end[1]], color="#0072b2", linewidth=0.6, alpha=0.6)
        plot.plot(*sharp(points, k)[group].flatten(0, 2).T, ".", color="#000000", markersize=3)
        finish(plot, 0, title=f"{k} picture{'s' * (k > 1)}", xlabel="along the table, m", ylabel="height, m",
               xlim=(-2.2, 2.2), ylim=(-0.6, 1.4))  # fmt: skip
    page.save(figure)


def draw_filters(page, network, example):
    """The filters of the network that reads two pictures; both pictures of a ball, and the brightest map."""
    filters = network[1].first.weight.detach()
    figure, _ = page.figure(1, 10.0, 2.2)
    figure.clear()
    grid = figure.subplots(2, FILTERS + 1, width_ratios=[1] * FILTERS + [2.4])
    torch.manual_seed(0)
    picture = Camera()(example)
    with torch.no_grad():
        maps = torch.relu(network[1].first(picture))[0]
    best = int(maps.amax((1, 2)).argmax())
    for row, name in enumerate(("before", "now")):
        for k in range(FILTERS):
            grid[row, k].imshow(filters[k, row], cmap="RdBu_r", vmin=-0.5, vmax=0.5, origin="lower")
        grid[row, 0].set_ylabel(name)
    for plot, image, title in zip(grid[:, -1], (picture[0].sum(0), maps[best]), ("both pictures", f"map {best + 1}")):
        plot.imshow(image, cmap="gray", origin="lower")
        plot.set_title(title, fontsize=8)
    for plot in grid.ravel():
        plot.set(xticks=[], yticks=[])
        plot.grid(False)
    page.save(figure, "filters")


if __name__ == "__main__":
    main()
