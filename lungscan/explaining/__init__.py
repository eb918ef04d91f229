"""What an answer depends on, cell by cell: on every runtime, without torch.

``occlusion`` blurs one cell after the other and asks the network again (after Zeiler and Fergus,
https://arxiv.org/abs/1311.2901). ``cam`` spreads the class's logit over the network's last maps
(after Zhou et al., https://arxiv.org/abs/1512.04150, and for networks with a layer behind the
pooling as in https://arxiv.org/abs/1610.02391); it costs one pass and says less, see
docs/explanation.md.
"""

from __future__ import annotations

from lungscan.explaining.base import Explainer
from lungscan.explaining.one import explain, load_explainer
from lungscan.explaining.tiles import TileExplainer
from lungscan.model.card import ModelCard
from lungscan.options import ScanOptions
from lungscan.runtimes import Runtime

__all__ = ["Explainer", "TileExplainer", "explain", "file_explainer", "load_explainer"]


def file_explainer(options: ScanOptions, card: ModelCard, runtime: Runtime) -> TileExplainer | None:
    """What explains the files of a run; None when its options want nothing explained.

    Raises:
        UsageProblem: the method is not right for this model; another is named.
    """
    if options.explain == "off":
        return None
    return TileExplainer(card, options, load_explainer(options.explain, card, runtime))
