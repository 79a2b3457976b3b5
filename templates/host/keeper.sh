#!/bin/sh
# Holds the lock of a running environment, and tells its first process when no session is there. It stands outside of the
# environment, whose processes have pipes to it and neither the lock nor the FIFO: a guest's root can open anew what its own
# processes have.
#
# usage: keeper.sh holder|script    script: there is no holder to tell, and 4 and 5 are /dev/null
# Inherited: 3 FIFO that ends when the last process of the environment does, 4 FIFO that the holder reads, 5 FIFO that every session
# holds open, 6 the lock, dropped by the kernel when this process ends.
look() {
  while :; do
    # Waits while a session has it open.
    read -r _ <&5
    echo look >&4 || exit
    sleep 1
  done 2>/dev/null
}

if [ "$1" = holder ]; then
  look 3<&- 6<&- &
  looking=$!
fi
exec 4>&- 5<&-
# A guest may write to it; its end is what counts.
while read -r _ <&3; do :; done
[ -z "${looking-}" ] || kill "$looking"
