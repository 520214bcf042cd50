"""Backups as a person handles them: take, list, restore, verify.

What happens on a database machine is done there, by files/backups, which says how archives are
made and kept. Here the archives of all machines are copied to this computer, as they are:
encrypted, below the system's own folder in backups/MACHINE/. The key to them is in secrets.json
beside it: without that file no backup can be read, so keep a copy of it elsewhere.

A restore takes the newest dump before the wanted moment and replays archived binary logs of any
machine from there on, each transaction once, by its GTID. A transaction belongs to the state at a
moment if it was committed, on the server that was primary then, before that moment: the commit
times in the logs have microseconds, so of two writes in one second either can be the last.
"""

from provision.backups.backups import Backups

__all__ = ["Backups"]
