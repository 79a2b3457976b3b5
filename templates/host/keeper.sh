#!/bin/sh
# Holds the lock of a running environment, and reports to its first process while there is no session. It is outside of the
# environment, whose processes have pipes to it but neither the lock nor the FIFO: a guest's root can open the files of its own
# processes again.
#
# usage: keeper.sh holder|script [FILE]    script: there is no holder, and 4 and 5 are /dev/null
#   FILE   receives the status with which the supervisor of services says that it ends; as boot.pl writes its own, without an id
# Inherited: 3 FIFO that ends with the last process of the environment, 4 FIFO that the holder reads, 5 FIFO that every session
# holds open and writes a line to, 6 the lock, released by the kernel when this process ends.
look() {
  while :; do
    # Blocks while a session has it open; a line is of a session that came since, and may have gone.
    if read -r _ <&5; then
      echo session >&4 || exit
    else
      echo look >&4 || exit
      sleep 1
    fi
  done 2>/dev/null
}

if [ "$1" = holder ]; then
  look 3<&- 6<&- &
  looking=$!
fi
exec 4>&- 5<&-
# A guest may write to it. The word says how the environment ends, which is the guest's to choose; all else but the end is ignored.
status=
while read -r word number _ <&3; do
  case $word$number in
  ended[0-9] | ended[0-9][0-9] | ended[12][0-9][0-9]) status=$number ;;
  esac
done
[ -z "${looking-}" ] || kill "$looking"
if [ -n "$status" ] && [ -n "${2-}" ]; then
  printf '{"state": "ended", "status": %s}\n' "$status" >"$2.new" && mv "$2.new" "$2"
fi
