#!/bin/sh
# Makes a point to go back to when the guest of a running environment asks for one, and ends with that environment.
#
# usage: restore-points.sh RUN UPPER COMMAND [ARGUMENT...]
#   RUN      folder of the environment's run-time state
#   UPPER    folder of what it has written
#   COMMAND  makes the point; the first line of what it prints is the answer
# Inherited: 3 FIFO that the guest writes to and that ends when its holder does, 4 FIFO of the answers, never waited for.
#
# The guest says "now" and nothing else: what it writes is counted, not read, and one request a second is looked at.
run=$1 upper=$2
shift 2
# Written when the environment was ready, before the first session.
last=$run/anchor.json
# Seconds until the next one, after a success and after a failure.
made_pause=60 failed_pause=10
not_before=0

# Files that APT and the start of an environment write by themselves are no change, nor are temporary files. An
# unreadable folder counts as changed.
has_changed() {
  [ -n "$(cd "$upper" && find . \
    \( -path ./run -o -path ./tmp -o -path ./var/tmp -o -path ./var/cache -o -path ./var/log -o -path ./var/lib/apt \) -prune -o \
    \( -path ./var/lib/dpkg/lock -o -path ./var/lib/dpkg/lock-frontend -o -path ./var/lib/dpkg/triggers/Lock \) -o \
    ! -type d -cnewer "$last" -print 2>&1 | head -c 1)" ]
}

# Prints seconds of a clock that never goes back.
now() {
  read -r uptime _ </proc/uptime
  now=${uptime%%.*}
}

answer() {
  # Full if the guest does not read; this script does not wait for it.
  echo "$1" >&4
} 2>/dev/null

make_point() {
  not_before=$((now + failed_pause))
  : >"$run/asking"
  word=$("$@" </dev/null 3<&- 4<&- 2>/dev/null | { read -r word; answer "${word:-none}"; echo "$word"; cat >/dev/null; })
  [ "$word" = made ] || return
  mv -f "$run/asking" "$run/asked"
  last=$run/asked
  now
  not_before=$((now + made_pause))
}

while dd bs=65536 count=1 of="$run/request" <&3 2>/dev/null && [ -s "$run/request" ]; do
  # Discards an answer that was not read: it does not belong to the next request.
  dd bs=65536 count=1 of=/dev/null <&4 2>/dev/null
  now
  if [ "$now" -lt $not_before ] || ! has_changed; then
    answer none
  else
    make_point "$@"
  fi
  sleep 1
done
