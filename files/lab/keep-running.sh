#!/bin/sh
# keep-running.sh PROGRAM [ARGUMENT...]
# Runs a program, and again a second after it has ended, until both are killed with their cgroup.
while :; do
    "$@"
    sleep 1
done
