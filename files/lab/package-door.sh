#!/bin/sh
# package-door.sh LISTEN TARGET, run inside the lab's network namespace.
# Hands connections to LISTEN there on to TARGET in the network of the parent process, which is the
# host's: a listening socket stays in the namespace where it was made, whoever accepts from it.
exec systemd-socket-activate --listen="$1" \
    nsenter --net="/proc/$PPID/ns/net" /lib/systemd/systemd-socket-proxyd "$2"
