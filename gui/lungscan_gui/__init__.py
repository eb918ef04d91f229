"""The desktop window: one case on the screen, a queue beside it. The extra ``gui`` brings Qt.

Nothing here is imported by the engine, and importing this package loads no Qt: that happens in
``lungscan_gui.window`` and the widgets.
"""
