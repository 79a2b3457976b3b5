# One session in a tree that proot shows: becomes ready and runs the guest's command. Handed to sh -c; its arguments:
#   TASK    "find", to print the ids of USER, or "run"
#   USER    NAME or UID, or either with :GROUP
#   FOLDER  to begin in, or empty for the user's home
#   COMMAND ARGUMENT..., or none for the user's login shell
# Inherited: 3 where one line tells how it went, "failed STAGE ERRNO" before the command or "ended STATUS" after it;
# 4 and 5 locks of the environment, which proot holds until the session's end.
# The variables PROOT_* are for proot alone.
unset PROOT_TMP_DIR PROOT_NO_SECCOMP
task=$1 wanted=$2 folder=$3
shift 3

give_up() {
  echo "failed $1 $2" >&3
  exit "${3:-125}"
}

is_number() {
  case $1 in '' | *[!0-9]* | ???????????*) return 1 ;; esac
}

# The line of a file whose first field, or number in the third, is asked for.
find_line() {
  while IFS= read -r line || [ -n "$line" ]; do
    IFS=: read -r name _ number _ <<END
$line
END
    if [ "$name" = "$2" ] || { is_number "$2" && [ "$number" = "$2" ]; }; then return 0; fi
  done 2>/dev/null <"$1"
  return 1
}

if find_line /etc/passwd "${wanted%%:*}"; then
  IFS=: read -r name _ uid gid _ home shell <<END
$line
END
elif [ "${wanted%%:*}" = root ]; then name=root uid=0 gid=0 home=/root shell=
elif is_number "${wanted%%:*}"; then name=${wanted%%:*} uid=$name gid=$name home=/ shell=
else give_up user 2
fi
case $wanted in
*:*)
  if find_line /etc/group "${wanted#*:}"; then gid=$number
  elif is_number "${wanted#*:}"; then gid=${wanted#*:}
  else give_up group 2
  fi
  ;;
esac
is_number "$uid" && is_number "$gid" || give_up user 2
if [ "$task" = find ]; then
  echo "$uid:$gid"
  exit
fi

[ -n "$shell" ] && [ -x "$shell" ] || shell=/bin/sh
: "${HOME:=$home}" "${USER:=$name}" "${LOGNAME:=$name}" "${SHELL:=$shell}"
export HOME USER LOGNAME SHELL
umask 022
if [ -n "$folder" ]; then
  cd -- "$folder" 2>/dev/null || give_up workdir 2
else
  cd -- "$HOME" 2>/dev/null || cd /
fi
[ $# -gt 0 ] || set -- "$shell" -l
case $1 in
*/*) found=$1 ;;
*)
  found=
  IFS=:
  for place in $PATH; do
    [ ! -x "$place/$1" ] || [ -d "$place/$1" ] || { found=$place/$1; break; }
  done
  unset IFS
  ;;
esac
[ -e "$found" ] || give_up exec 2 127
[ -x "$found" ] && [ ! -d "$found" ] || give_up exec 13 126
# A handler, not "ignore": the command must start with the default action.
trap : HUP INT QUIT TERM USR1 USR2
"$@" 3>&- 4>&- 5>&-
status=$?
echo "ended $status" >&3
exit $status
