"""Training: data, teacher, distillation, calibration, evaluation, and the resulting model folder.

Needs the extra ``train`` (torch and timm).
"""
