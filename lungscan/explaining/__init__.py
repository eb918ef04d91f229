"""What an answer depends on, cell by cell: on every runtime, without torch.

``occlusion`` blurs one cell after the other and asks the network again (after Zeiler and Fergus,
https://arxiv.org/abs/1311.2901). ``cam`` spreads the class's logit over the network's last maps
(after Zhou et al., https://arxiv.org/abs/1512.04150, and for networks with a layer behind the
pooling as in https://arxiv.org/abs/1610.02391); it costs one pass. What each is worth
is measured in docs/explanation.md.
"""

from __future__ import annotations

from lungscan.explaining.base import Explainer
from lungscan.model.card import ModelCard
from lungscan.options import Explain
from lungscan.runtimes import Runtime

__all__ = ["Explainer", "load_explainer"]


def load_explainer(method: Explain, card: ModelCard, runtime: Runtime) -> Explainer | None:
    """What explains single tiles by ``method``; None for ``off``.

    Raises:
        UsageProblem: the method is not exact for this model; another is named.
        ModelError, MachineError: the graph cannot be read or compiled.
    """
    if method == "occlusion":
        from lungscan.explaining.occlusion import Occlusion

        return Occlusion(runtime)
    if method == "cam":
        from lungscan.explaining.cam import ClassMaps

        return ClassMaps(card)
    return None
