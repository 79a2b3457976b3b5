# The first process of a running environment: ends the environment after its last other process. Inherited: 4 pipe for
# one line when the environment is ready; 5 FIFO with the line "look" for each second without a session, and "session" for
# each session that came.
exec >/dev/null 2>&1
# "kill -1" by a guest's root must end the services, not the environment of the sessions.
trap '' HUP INT QUIT TERM USR1 USR2
chmod 1777 /dev/shm
# Of an environment whose files are read-only, these are in memory.
[ -w / ] || chmod 1777 /tmp /var/tmp /run/lock
# /run is part of the tree: files of the last run would make services look as if they were running, and the folder
# /run/systemd/system as if an init did, see sd_booted(3).
find /run -xdev \( -name '*.pid' -o -type s -o -path /run/systemd/system -o -path '/run/systemd/system/*' \) -delete
# In emulated environments, su and similar programs must be replaced before any process can call them.
[ ! -x /usr/lib/envs/lay-shims ] || /usr/lib/envs/lay-shims 4>&- 5>&-
# Only at the first start of a new environment, a clone or an import, if its packages make keys for each machine.
[ ! -x /usr/lib/envs/renew-keys ] || /usr/lib/envs/renew-keys 4>&- 5>&-
echo ready >&4
exec 4>&-
# Not empty while the environment ends: the program of a new session then stops, and starts the environment again.
leaving=/dev/.envs-leaving
idle=0
while :; do
  # The environment ends with the process that holds its lock: otherwise a second one could start on the same tree.
  read -r word <&5 || exit 0
  # Counts from the end of the last session: the next one may be on its way.
  [ "$word" = look ] || { idle=0; continue; }
  set -- /proc/[0-9]*
  if [ $# -gt 2 ]; then
    idle=0
  else
    # Twice, because a session may have opened the FIFO before it is visible here.
    idle=$((idle + 1))
    if [ $idle -ge 2 ]; then
      # A session that arrived before the mark is visible now; one that arrives after it sees the mark.
      echo leaving >$leaving
      set -- /proc/[0-9]*
      [ $# -gt 2 ] || exit 0
      # Without a program: none can be started at the limit of processes.
      : >$leaving
      idle=0
    fi
  fi
done
