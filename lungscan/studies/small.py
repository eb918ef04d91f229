"""Networks that timm does not have, with timm's three calls: features, head and classifier."""

from __future__ import annotations

from torch import Tensor, nn


class Plain(nn.Module):
    """Convolutions, one pooling, a head and a classifier; ``(b, 3, h, w)`` to ``(b, outputs)``."""

    body: nn.Module
    head: nn.Module
    classifier: nn.Linear

    def forward_features(self, pictures: Tensor) -> Tensor:
        """The last map of features ``(b, c, h', w')``."""
        maps: Tensor = self.body(pictures)
        return maps

    def forward_head(self, maps: Tensor, pre_logits: bool = False) -> Tensor:
        """The outputs of such a map; with ``pre_logits`` what the classifier is given."""
        features: Tensor = self.head(maps)
        return features if pre_logits else self.classifier(features)

    def get_classifier(self) -> nn.Module:
        """The last layer."""
        return self.classifier

    def forward(self, pictures: Tensor) -> Tensor:
        """Outputs ``(b, outputs)`` for normalised pictures."""
        return self.forward_head(self.forward_features(pictures))


class SmallCnn(Plain):
    """The study's own small network: 0.42 million parameters in seven convolutions.

    A stem of 5 x 5 (24 channels, stride 2) and six 3 x 3 convolutions (48, 48, 96, 96, 128, 128
    channels; the first of each pair has stride 2), each followed by batch normalisation and ReLU.
    The mean over the last map gives 128 features; a dropout of 0.1 and one linear layer follow. Any
    input from 32 px up. It has no skip connections, no squeeze layers and no depthwise layers, so
    that every layer is one that int8 computes fast and loses little with.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        widths = (48, 48, 96, 96, 128, 128)
        layers = [_convolution(3, 24, 5, 2)]
        for number, (before, width) in enumerate(zip((24, *widths), widths, strict=False)):
            layers.append(_convolution(before, width, 3, 2 - number % 2))
        self.body = nn.Sequential(*(part for layer in layers for part in layer))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.1))
        self.classifier = nn.Linear(widths[-1], outputs)


class AlexNet(Plain):
    """AlexNet's five convolutions and three linear layers (Krizhevsky 2014, "one weird trick").

    Changed against the paper: batch normalisation behind each convolution, since it is fitted from
    nothing on some hundred pictures; the last map is pooled to 3 x 3, and the two hidden layers are
    512 wide instead of 4,096: 3.9 instead of 57 million parameters, for as many classes.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_convolution(3, 64, 11, 4),
            nn.MaxPool2d(3, 2),
            *_convolution(64, 192, 5, 1),
            nn.MaxPool2d(3, 2),
            *_convolution(192, 384, 3, 1),
            *_convolution(384, 256, 3, 1),
            *_convolution(256, 256, 3, 1),
        )
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(3),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(256 * 9, 512),
            nn.ReLU(inplace=True),
            nn.Dropout(0.3),
            nn.Linear(512, 512),
            nn.ReLU(inplace=True),
        )
        self.classifier = nn.Linear(512, outputs)


def _convolution(before: int, width: int, side: int, stride: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(before, width, side, stride, padding=side // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True)


def count_parameters(network: nn.Module) -> int:
    """Numbers that are learnt."""
    return sum(value.numel() for value in network.parameters())
