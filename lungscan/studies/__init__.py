"""A study: several networks with and without a teacher on one folder of classes, in one table.

``run.study`` is the way in. torch and timm are imported where they are used: they come with the
extra ``train``.
"""
