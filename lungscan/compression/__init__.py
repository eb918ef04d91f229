"""Smaller forms of a trained model: int8 for OpenVINO, ONNX for other programs.

``int8.compress`` and ``onnx_file.export_onnx`` are the ways in. NNCF, torch and timm are imported
where they are used: they come with the extra ``train``.
"""
