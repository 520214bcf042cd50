#!/bin/sh
# start-again.sh PROGRAM [ARGUMENT...]
# Runs a program; a second after it has ended, the exit status 133 has its unit started again.
"$@"
sleep 1
exit 133
