"""The pictures of ``lungscan demo``: real training fields, drawn tissue, glass and blur."""

from lungscan.demo.drawing import draw_demo
from lungscan.demo.making import DemoPictures, make_demo

__all__ = ["DemoPictures", "draw_demo", "make_demo"]
