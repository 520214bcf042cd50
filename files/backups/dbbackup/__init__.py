"""Backups on a database machine: dumps, archived binary logs, and restoring them aside.

Each database machine keeps an archive of its own under /var/backups/quartet: dumps that it took,
and its own binary logs once they are closed. Everything in it is compressed (zstd), encrypted (age)
for a key whose private half is not on any machine, and has a JSON file beside it with its SHA-256,
the GTIDs in it and the moments that it covers. A file without its JSON is not there: it is
removed by the next run. Since replicas write the transactions of others to their own binary logs,
with the same GTIDs, the archives of all machines make one history, whoever was primary when.

A timer runs `tick` every few minutes. It archives what is new, and when the day's dump is due it
takes one, on one machine: the first usable replica, or the primary where there is none.
"""
