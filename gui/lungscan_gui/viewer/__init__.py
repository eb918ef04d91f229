"""The picture: camera, tiles, overlay and the widget that paints them."""
