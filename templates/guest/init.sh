# pid 1 of an environment: takes what loses its parent, and ends with the holder. A program of the guest, for what the host has there
# would be in its root's reach.
# Handed to sh -c; its argument is the holder's text. Keeps 6 open, whose end is the environment's; see host/keeper.sh.
exec 3>&- 7>&- 8>&- 9>&-
trap '' HUP INT QUIT TERM USR1 USR2
/bin/sh -c "$1" envs-holder 6>&- &
exec 4>&- 5>&- >/dev/null 2>&1
wait
