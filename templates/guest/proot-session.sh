# One session in a tree that proot shows: prepares the tree and runs the guest's command. Run by sh -c; its arguments:
#   TASK    "find", to print the ids of USER, or "run"
#   USER    NAME or UID, or either with :GROUP
#   FOLDER  working folder, or empty for the next one
#   FOLDER  folder in place of the user's home, if it is there; may be empty
#   COUNT   of variables of the image, then each as NAME=VALUE: the programs of the host before this one must not have them
#   COMMAND ARGUMENT..., or none for the user's login shell
# Inherited: 3 for one line about the result, "failed STAGE ERRNO" before the command or "ended STATUS" after it;
# 4 and 5 locks of the environment, which proot holds until the session's end.
# The variables PROOT_* are only for proot. All others belong to the command: this script's own have unusual names.
unset PROOT_TMP_DIR PROOT_NO_SECCOMP
_task=$1 _wanted=$2 _folder=$3 _usual=$4 _count=$5
shift 5
while [ "$_count" -gt 0 ]; do
  _count=$((_count - 1))
  # A shell exports no other names.
  case ${1%%=*} in
    '' | [0-9]* | *[!A-Za-z0-9_]* | _*) ;;
    *) export "$1" ;;
  esac
  shift
done

give_up() {
  echo "failed $1 $2" >&3
  exit "${3:-125}"
}

is_number() {
  case $1 in '' | *[!0-9]* | ???????????*) return 1 ;; esac
}

# Prints the line of a file with the given first field, or number in the third field.
find_line() {
  while IFS= read -r _line || [ -n "$_line" ]; do
    IFS=: read -r _name _ _number _ <<END
$_line
END
    if [ "$_name" = "$2" ] || { is_number "$2" && [ "$_number" = "$2" ]; }; then return 0; fi
  done 2>/dev/null <"$1"
  return 1
}

if find_line /etc/passwd "${_wanted%%:*}"; then
  IFS=: read -r _name _ _uid _gid _ _home _shell <<END
$_line
END
elif [ "${_wanted%%:*}" = root ]; then _name=root _uid=0 _gid=0 _home=/root _shell=
elif is_number "${_wanted%%:*}"; then _name=${_wanted%%:*} _uid=$_name _gid=$_name _home=/ _shell=
else give_up user 2
fi
case $_wanted in
*:*)
  if find_line /etc/group "${_wanted#*:}"; then _gid=$_number
  elif is_number "${_wanted#*:}"; then _gid=${_wanted#*:}
  else give_up group 2
  fi
  ;;
esac
is_number "$_uid" && is_number "$_gid" || give_up user 2
if [ "$_task" = find ]; then
  echo "$_uid:$_gid"
  exit
fi

# Only in the first session of a new environment, or of an import, if its packages make keys for each machine.
[ ! -x /usr/lib/envs/renew-keys ] || /usr/lib/envs/renew-keys 3>&- 4>&- 5>&-

[ -n "$_shell" ] && [ -x "$_shell" ] || _shell=/bin/sh
: "${HOME:=$_home}" "${USER:=$_name}" "${LOGNAME:=$_name}" "${SHELL:=$_shell}"
export HOME USER LOGNAME SHELL
umask 022
if [ -n "$_folder" ]; then
  cd -- "$_folder" 2>/dev/null || give_up workdir 2
elif [ -z "$_usual" ] || ! cd -- "$_usual" 2>/dev/null; then
  cd -- "$HOME" 2>/dev/null || cd /
fi
if [ $# -eq 0 ]; then
  set -- "$_shell" -l
  # As session.pl does.
  if [ -t 0 ] && [ -z "$PROMPT_COMMAND" ]; then export PROMPT_COMMAND='{ . /run/envs/notes.bash "$?"; } 2>/dev/null'; fi
fi
case $1 in
*/*) _found=$1 ;;
*)
  _found=
  IFS=:
  for _place in $PATH; do
    [ ! -x "$_place/$1" ] || [ -d "$_place/$1" ] || { _found=$_place/$1; break; }
  done
  unset IFS
  ;;
esac
[ -e "$_found" ] || give_up exec 2 127
[ -x "$_found" ] && [ ! -d "$_found" ] || give_up exec 13 126
# A handler, not "ignore": the command must start with the default action.
trap : HUP INT QUIT TERM USR1 USR2
echo started >&3
# By exec, because dash's own echo would run otherwise, which differs from the program.
(exec "$@" 3>&- 4>&- 5>&-)
_status=$?
echo "ended $_status" >&3
exit $_status
