"""What an answer depends on: explanations that a run made, and those of tiles asked about here."""
