"""A person's review of an answer: kept beside the record, told in reports, used to adapt a model.

``review.json`` itself is ``lungscan.results.review_json``, where the reports find it.
"""
