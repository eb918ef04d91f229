"""Training: data, teacher, distillation, calibration, evaluation, and the model folder that results.

Needs the extra ``train`` (torch, timm, scikit-learn).
"""
