# pid 1 of an environment whose engine has none of its own: takes what loses its parent, and ends with the holder.
# Handed to sh -c; its argument is the holder's text. Keeps the lock at 6, which nothing else in the guest may have.
trap '' HUP INT QUIT TERM USR1 USR2
/bin/sh -c "$1" envs-holder 6>&- &
exec 4>&- 5>&- >/dev/null 2>&1
wait
