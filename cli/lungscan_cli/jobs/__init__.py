"""How the shell runs each job: its events drawn, its end turned into an exit code."""
