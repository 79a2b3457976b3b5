# pid 1 of an environment: reaps orphans, and ends with the holder. A program of the guest, because a guest's root
# could reach a program of the host here. Run by sh -c; its argument is the holder's text. Keeps 6 open, which marks the environment as running; see host/keeper.sh.
exec 3>&- 7>&- 8>&- 9>&-
trap '' HUP INT QUIT TERM USR1 USR2
# The same program, which is in memory already.
{ eval "$1"; } 6>&- &
holder=$!
exec 4>&- 5>&- >/dev/null 2>&1
# The dash of Ubuntu 20.04 ends a wait, with 128, when a child is stopped, as all are for a snapshot.
while wait "$holder"; [ $? -eq 128 ]; do :; done
