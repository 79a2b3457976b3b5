# pid 1 of an environment: reaps orphans, and ends with the holder. A program of the guest, because a guest's root
# could reach a program of the host here. Run by sh -c; its arguments are the holder's text, and the words of a shell where
# the guest has none. Keeps 6 open, which marks the environment as running; see host/keeper.sh.
exec 3>&- 7>&- 8>&- 9>&-
trap '' HUP INT QUIT TERM USR1 USR2
holder=$1
shift
[ $# -gt 0 ] || set -- /bin/sh
"$@" -c "$holder" envs-holder 6>&- &
exec 4>&- 5>&- >/dev/null 2>&1
wait
