"""One adapted network: statistics matched, limits of novelty set, and the last layer by labels."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lungscan.adaptation.last_layer import Fitted, Layer, Squares, by_field, fit_head, of_names
from lungscan.adaptation.own_fields import spread
from lungscan.adaptation.records import Own
from lungscan.model.appearance import fit_appearance, statistics
from lungscan.model.card import NOVELTY, ModelCard, write_card
from lungscan.model.folder import read_golden, write_golden, write_novelty
from lungscan.model.novelty import Novelty, load_novelty
from lungscan.runtimes import load_runtime
from lungscan.runtimes.layers import Moments, Network
from lungscan.types import FloatArray, RgbBatch
from lungscan.workers import Workers

MATCHED = 128  # squares by which the statistics are matched
TRUST = 50  # own files that weigh as much as all of the source
OWN_SHARE = 0.98  # of the own squares that lie within a limit of novelty
JUDGED_SHARE = 0.95  # of the squares of files not looked at that are near enough to be judged
FILE_PARTS = 5  # of the own files: each is compared with the others
WIDEST = 1.5  # times by which a limit may be widened


@dataclass(frozen=True)
class Source:
    """The model that is adapted, with what its network does on its own tissue."""

    card: ModelCard
    moments: Moments
    novelty: Novelty
    threads: int


@dataclass(frozen=True)
class Draft:
    """An adapted model folder that can be judged; its card says nothing yet of the adaptation."""

    card: ModelCard
    share: float  # weight of the own statistics
    novel: float  # share of the own squares that the source's limits call novel after matching
    limits: FloatArray  # of novelty, before and after
    fitted: Fitted | None  # with labels


def source_of(card: ModelCard, moments: Moments, threads: int) -> Source:
    """The source with its limits of novelty."""
    return Source(card, moments, load_novelty(card.folder / NOVELTY), threads)


def draft(own: Own, source: Source, folder: Path, *, labels: bool) -> Draft:
    """Write a model folder adapted to ``own``.

    Args:
        own: the files to adapt to.
        source: the model to adapt.
        folder: is made.
        labels: whether to fit the last layer, temperature and least confidence.
    """
    folder.mkdir(parents=True)
    share = len(own.files) / (len(own.files) + TRUST)
    network = Network(source.card.folder, source.card.patch_size_pixels)
    network.match(some_squares(own), source.moments, share)
    network.write(folder)
    card = dataclasses.replace(source.card, folder=folder, sha256="", official=False)
    features = features_of(card, own.tiles, source.threads)
    novel = float((source.novelty.score(features) > card.novelty_threshold).mean())
    novelty = at_home(widened(source.novelty, features), own)
    if novelty.appearance is not None:
        card = dataclasses.replace(card, appearance_limit=novelty.appearance.reach)
    fitted = None
    if labels:
        fitted = _fit_labels(own, features, source)
        _set_layer(network, source, fitted.layer)
        network.write(folder)
        card = dataclasses.replace(card, confidence_threshold=fitted.confidence)
    write_novelty(folder, novelty)
    _write_golden(card, source)
    write_card(card, folder)
    limits = np.stack([source.novelty.limits, novelty.limits])
    return Draft(card, share, novel, limits, fitted)


def widened(novelty: Novelty, features: FloatArray) -> Novelty:
    """The limits that let ``OWN_SHARE`` of the own squares pass, within ``WIDEST``."""
    measured = (novelty.foreign_probability(features), novelty.distance(features))
    wanted = np.array([np.quantile(values, OWN_SHARE) for values in measured])
    limits = np.clip(wanted, novelty.limits, WIDEST * novelty.limits).astype(np.float32)
    return dataclasses.replace(novelty, limits=limits)


def at_home(novelty: Novelty, own: Own) -> Novelty:
    """The novelty of a network that knows the own stain and scanner, and judges no other.

    The layers were matched to these alone: on a third stain the network's word on which tissue it
    is, lung or not, is worth little. So the limit beyond which a square is not judged is the
    distance within which ``JUDGED_SHARE`` of a file's squares lie of those of other own files; the
    source's is as far as its training reached.
    """
    if novelty.appearance is None:
        return novelty
    rows = statistics(own.tiles)
    part = (own.owner if len(own.files) > 1 else np.arange(len(rows))) % FILE_PARTS
    away = [
        fit_appearance(rows[part != one], rows[part != one], OWN_SHARE).distance(rows[part == one])
        for one in np.unique(part)
    ]
    fitted = fit_appearance(rows, rows, OWN_SHARE)
    far = float(np.quantile(np.concatenate(away), JUDGED_SHARE))
    limits = np.array([min(float(fitted.limits[0]), far), far], np.float32)
    return dataclasses.replace(novelty, appearance=dataclasses.replace(fitted, limits=limits))


def resemblance(own: Own, source: Source) -> float:
    """How much the own tissue resembles the source's counter-examples before anything is matched.

    The mean probability over files, each the mean of its squares: what one field does not tell, a
    folder of them does.
    """
    features = features_of(source.card, own.tiles, source.threads)
    probability = source.novelty.foreign_probability(features)
    return float(by_field(probability[:, None], own.owner).mean())


def features_of(card: ModelCard, tiles: RgbBatch, threads: int) -> FloatArray:
    """Features ``(n, d)`` of squares, one caller for each thread."""
    runtime = load_runtime(card, "cpu-fp32", threads)
    size = runtime.batch_size
    batches = [tiles[at : at + size] for at in range(0, len(tiles), size)]
    with Workers(threads) as workers, workers.in_order(runtime.predict, batches) as found:
        return np.concatenate([features for _, features in found])


def some_squares(own: Own) -> RgbBatch:
    """Squares to match by: the first of every file, then the second, as many as are wanted."""
    first = np.searchsorted(own.owner, own.owner)
    rank = np.arange(len(own.owner)) - first
    order = np.argsort(rank, kind="stable")
    if len(own.files) > MATCHED:
        order = order[spread(len(own.files), MATCHED)]
    return own.tiles[np.sort(order[:MATCHED])]


def _fit_labels(own: Own, features: FloatArray, source: Source) -> Fitted:
    names = source.card.class_names
    known = np.array([bool(file.label) for file in own.files])[own.owner]
    owner = own.owner[known]
    labels = np.array([names.index(own.files[i].label) for i in owner], np.int64)
    groups = of_names([own.files[i].group for i in owner])
    squares = Squares(features[known], labels, owner, groups)
    count = len(names)
    novelty = source.novelty
    layer = Layer(
        novelty.output_weight[:count], novelty.output_bias[:count], source.card.temperature
    )
    return fit_head(squares, layer, source.card.seed)


def _set_layer(network: Network, source: Source, layer: Layer) -> None:
    """Put the layer in place.

    The graph divides by the card's temperature, which stays: the change goes into the weights.
    """
    weight_name, bias_name = network.last_layer(source.novelty.output_weight)
    factor = source.card.temperature / layer.temperature
    weight, bias = network.numbers(weight_name), network.numbers(bias_name)
    count = len(layer.bias)
    weight[:count], bias[:count] = layer.weight * factor, layer.bias * factor
    network.set(weight_name, weight)
    network.set(bias_name, bias)


def _write_golden(card: ModelCard, source: Source) -> None:
    """The source's golden fields with this network's answers."""
    fields = read_golden(source.card).fields
    probs, _ = load_runtime(card, "cpu-fp32", source.threads).predict(fields)
    write_golden(card.folder, fields, probs)
