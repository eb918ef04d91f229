"""Class maps: a class's logit, spread over the network's last maps. One pass for a tile.

For logits that are an affine function ``V mean(A) + b`` of the mean of the maps ``A``, each place
bears ``V A / places`` of them, and ``b`` is what no place bears. Behind a layer with ReLU (as in
GhostNet) ``V`` is that of the units that are on for this very tile: see ``affine_head``.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import openvino as ov

from lungscan.explaining.affine_head import find_head
from lungscan.explaining.base import Cells
from lungscan.model.card import ModelCard
from lungscan.model.graph import read_graph
from lungscan.runtimes.openvino import check_graph, compile_graph
from lungscan.types import FloatArray, RgbArray


class ClassMaps:
    """Explains with the graph, in fp32, whatever runtime answers."""

    method: Literal["cam"] = "cam"

    def __init__(self, card: ModelCard, model: ov.Model | None = None) -> None:
        """Find the last maps and compile the graph once more, with them as a third output.

        Args:
            model: the network, where it is not the card's.

        Raises:
            UsageProblem: no exact map exists for this network.
            ModelError, MachineError: as ``lungscan.runtimes.openvino.load_openvino``.
        """
        graph = model or read_graph(ov.Core(), card.folder)
        check_graph(graph, card)
        self._head = find_head(graph, card.name)
        graph.add_outputs([self._head.maps])
        self._compiled = compile_graph(graph, 1, "f32")

    def explain(self, tile: RgbArray, class_index: int) -> Cells:
        """See ``Explainer``. What all classes share is taken off: the mean of the others."""
        probs, maps = self._ask(tile)
        places = maps[0].size
        function = self._head.at(maps.reshape(len(maps), places).mean(1))
        against = np.full(len(function.bias), -1 / (len(function.bias) - 1))
        against[class_index] = 1.0
        values = np.tensordot(against @ function.weight, maps, 1) / places
        rest = float(against @ function.bias)
        return Cells(
            values=values.astype(np.float32),
            probability=float(probs[class_index]),
            score=float(values.sum()) + rest,
            rest=rest,
        )

    def logits(self, tile: RgbArray) -> tuple[FloatArray, FloatArray]:
        """Logits ``(classes,)`` added up from the maps, and the network's own probabilities."""
        probs, maps = self._ask(tile)
        pooled = maps.reshape(len(maps), -1).mean(1)
        function = self._head.at(pooled)
        return (function.weight @ pooled + function.bias).astype(np.float32), probs

    def _ask(self, tile: RgbArray) -> tuple[FloatArray, np.ndarray]:
        request = self._compiled.create_infer_request()
        request.infer([tile[None]])
        probs, maps = (request.get_output_tensor(i).data for i in (0, 2))
        return probs[0].copy(), maps[0].astype(np.float64)
