# The first process of a running environment: keeps it while anything else lives there, then lets it end.
# Inherited: 4 pipe that waits for one line when all is ready; 5 FIFO that gets a line each second in which no session is there.
exec >/dev/null 2>&1
# "kill -1" of a guest's root must end the services, not the environment under the sessions.
trap '' HUP INT QUIT TERM USR1 USR2
chmod 1777 /dev/shm
# /run is part of the tree: what the last run left there would tell services that they are running.
find /run -xdev \( -name '*.pid' -o -type s \) -delete
# Where users are emulated, su and its like must have been replaced before anyone can call them.
[ ! -x /usr/lib/envs/lay-shims ] || /usr/lib/envs/lay-shims 4>&- 5>&-
# Only at the first start of a new environment, a clone or an import whose packages have keys of one machine.
[ ! -x /usr/lib/envs/renew-keys ] || /usr/lib/envs/renew-keys 4>&- 5>&-
echo ready >&4
exec 4>&-
# Has something in it when the program of a session is to turn back, and start the environment anew.
leaving=/dev/.envs-leaving
idle=0
while :; do
  # With who keeps the environment's lock, the environment ends: else a second one could be started on the same tree.
  read -r _ <&5 || exit 0
  set -- /proc/[0-9]*
  if [ $# -gt 2 ]; then
    idle=0
  else
    # Two looks, for a session may have opened the FIFO and not yet arrived.
    idle=$((idle + 1))
    if [ $idle -ge 2 ]; then
      # One that arrived before the mark is seen now; one that arrives after it sees the mark.
      echo leaving >$leaving
      set -- /proc/[0-9]*
      [ $# -gt 2 ] || exit 0
      # Without a program: none can be started where all processes that there may be are there.
      : >$leaving
      idle=0
    fi
  fi
done
