"""One case in, one ``CaseResult`` out: nothing here knows of an output folder."""
