#!/bin/sh
# supervise.sh CGROUP PROGRAM [ARGUMENT...]
# Joins a cgroup, then runs a program in it: again for as long as it ends with 133, which is how
# systemd-nspawn says that its machine asked for a reboot; start-again.sh says it of any program.
# For hosts without systemd as process 1.
echo $$ >"$1/cgroup.procs" || exit 1
shift
while :; do
    "$@"
    status=$?
    [ "$status" -eq 133 ] || exit "$status"
done
