"""The network that finds the ball, in torch: a small U-Net of 3 x 3 convolutions, and its loss.

About 1.3 GMAC for a frame of 1280 x 720, of which it sees 640 x 360; test_vision_training.py counts them.
"""

import torch
import torch.nn.functional as F
from torch import nn

from ballcast.vision.network import ANSWERED, PLANES

WIDTHS = 16, 32, 64  # channels at 1/2, 1/4 and 1/8 of its pictures
VALUES = 0.25, 0.05  # weights in the loss of offsets, and of size and streak
NEAR = 0.3  # heat from which on offsets, size and streak are asked for
RARE = 0.02  # probability of a ball in a cell with which training begins


def block(channels: int, out: int, stride: int = 1) -> nn.Sequential:
    """A 3 x 3 convolution, normalised, and ReLU. Normalisation is folded into the convolution when it is exported."""
    convolution = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out), nn.ReLU(inplace=True))


class BallNet(nn.Module):
    """(B, 9, h, w) from -0.5 to 0.5 -> (B, len(ANSWERED) * PLANES, h / 2, w / 2)."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c = WIDTHS
        self.fine = block(9, a, 2)
        self.middle = nn.Sequential(block(a, b, 2), block(b, b), block(b, b))
        self.coarse = nn.Sequential(block(b, c, 2), *(block(c, c) for _ in range(4)))
        self.up_middle, self.join_middle = nn.Conv2d(c, b, 1), block(b, b)
        self.up_fine, self.join_fine = nn.Conv2d(b, a, 1), block(a, 24)
        self.head = nn.Conv2d(24, len(ANSWERED) * PLANES, 1)
        with torch.no_grad():
            self.head.bias.zero_()
            self.head.bias[::PLANES] = float(torch.logit(torch.tensor(RARE)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        fine = self.fine(x)
        middle = self.middle(fine)
        coarse = self.up_middle(self.coarse(middle))
        middle = self.join_middle(middle + F.interpolate(coarse, scale_factor=2.0, mode="nearest"))
        fine = self.join_fine(fine + F.interpolate(self.up_fine(middle), scale_factor=2.0, mode="nearest"))
        return self.head(fine)


def loss(output: torch.Tensor, answer: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, dict[str, float]]:
    """The loss, and its parts as numbers. The heat map's is the focal loss of CenterNet (Zhou et al. 2019)."""
    shape = (len(output), len(ANSWERED), PLANES, *output.shape[2:])
    output, answer = output.float().reshape(shape), answer.reshape(shape)
    logit, heat = output[:, :, 0], answer[:, :, 0]
    probability, is_ball = torch.sigmoid(logit), (heat == 1.0).float()
    found = -F.logsigmoid(logit) * (1.0 - probability) ** 2 * is_ball
    nothing = -F.logsigmoid(-logit) * probability**2 * (1.0 - heat) ** 4 * (1.0 - is_ball)
    count = is_ball.sum().clamp(min=1.0)
    focal = ((found + nothing) * weight).sum() / count
    near = ((heat > NEAR).float() * weight)[:, :, None]
    error = F.smooth_l1_loss(output[:, :, 1:], answer[:, :, 1:], reduction="none", beta=0.2) * near
    offset, rest = error[:, :, :2].sum() / count, error[:, :, 2:].sum() / count
    total = focal + VALUES[0] * offset + VALUES[1] * rest
    return total, {key: float(value.detach()) for key, value in zip(("heat", "offset", "size"), (focal, offset, rest))}


def normalised(inputs: torch.Tensor) -> torch.Tensor:
    """Inputs (B, 9, h, w) uint8 as the network takes them."""
    return inputs.float() / 255.0 - 0.5


def macs(net: nn.Module, height: int, width: int) -> int:
    """Multiplications of all convolutions for one picture (height, width) px."""
    total: list[int] = []

    def count(module, _, output):
        kernel = module.weight[0].numel()
        total.append(kernel * output.numel())

    handles = [m.register_forward_hook(count) for m in net.modules() if isinstance(m, nn.Conv2d)]
    with torch.no_grad():
        net(torch.zeros(1, 9, height, width))
    for handle in handles:
        handle.remove()
    return sum(total)
