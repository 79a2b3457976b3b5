# Acts on services of an environment in which no init runs. Run by sh -c; its arguments:
#   ACTION  start, stop or restart: by the init scripts, as service(8) calls them; enable or disable: the links that an init
#           follows at its start
#   UNIT... with suffixes
action=$1
shift
cd /
failed=0

by_script() {
  # The variable stays with the processes: envs tells by it to which unit they belong.
  env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TERM="${TERM:-dumb}" \
    ENVS_UNIT="$1" "/etc/init.d/${1%.service}" "$action"
}

# systemctl does this without systemd as well; deb-systemd-helper belongs to every Debian, and wants to be called by dpkg.
by_links() {
  if [ -x /usr/bin/systemctl ]; then
    systemctl --quiet "$action" "$1" || return
  elif [ -n "$(find /etc/systemd/system /usr/lib/systemd/system /lib/systemd/system -maxdepth 1 -name "$1" 2>/dev/null)" ]; then
    export DPKG_MAINTSCRIPT_PACKAGE=envs
    case $action in
      enable) deb-systemd-helper unmask "$1" && deb-systemd-helper enable "$1" ;;
      disable) deb-systemd-helper disable "$1" ;;
    esac >/dev/null || return
  fi
  [ -x "/etc/init.d/${1%.service}" ] || return 0
  # "enable" changes links that exist, "defaults" makes them.
  [ "$action" = disable ] || update-rc.d "${1%.service}" defaults || return
  update-rc.d "${1%.service}" "$action"
}

for unit; do
  case $action in
    start | stop | restart) by_script "$unit" ;;
    enable | disable) by_links "$unit" ;;
  esac </dev/null || failed=$?
done
exit $failed
