"""Evaluation of finished models on labelled fields: figures with intervals over groups.

A model folder is judged exactly as ``lungscan classify`` would judge each field, so the figures
are those of classification, refusals included. Needs no torch; ``run.evaluate`` is the way in.
"""
