"""A shipped model adapted to a laboratory's own stain and scanner, from its own fields.

``lungscan.adaptation.adapt.adapting`` is the one door: a generator of events.
"""
