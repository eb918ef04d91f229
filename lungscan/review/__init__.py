"""A person's review of an answer: kept beside the record, shown in reports, used to adapt a model.

``review.json`` itself is ``lungscan.results.review_json``, where the reports find it.
"""
