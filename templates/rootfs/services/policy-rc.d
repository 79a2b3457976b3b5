#!/bin/sh
# invoke-rc.d(8) and deb-systemd-invoke(1p) ask here whether a package may start or stop a service: status 0 permits it,
# 101 forbids it. Where no init runs, installing a package does not start its services; /var/lib/envs/would-start gets
# their names, and "envs services" on the host shows them. Remove this file to let packages start services there as well.
#
# usage: policy-rc.d [--quiet] NAME ACTION [RUNLEVEL]
[ ! -d /run/systemd/system ] || exit 0
[ "$1" != --quiet ] || shift
[ "$2" != stop ] || exit 0
case $2 in
  # In parentheses: of a service that is not in the runlevel. Without an init, the runlevel is unknown.
  start | '(start)' | restart | '(restart)') ;;
  *) exit 101 ;;
esac
name=${1%.service}
case $name in
  # /usr/lib/envs/dpkg asks by the name "envs" whether packages may start services.
  envs | '' | [!A-Za-z0-9_]* | *[!A-Za-z0-9:_.@\\-]*) exit 101 ;;
esac
record=/var/lib/envs/would-start
{ mkdir -p "${record%/*}" && ! grep -qxF -e "$name" "$record" && echo "$name" >>"$record"; } 2>/dev/null
exit 101
