# Installs packages in a new environment. Handed to sh -c; its arguments: "all", or "failures" to have no more told than
# what goes wrong, and the packages.
#
# Standard output is the command's that comes afterwards, and so is what is to be read from standard input.
exec </dev/null >&2

has_lists() {
  for list in /var/lib/apt/lists/*Packages*; do
    [ -e "$list" ] && return
  done
  return 1
}

# What an image brings along may be too old for the archive it names.
install_all() {
  if has_lists && apt-get install -y -- "$@"; then return; fi
  apt-get update && apt-get install -y -- "$@"
}

told=$1
shift
if [ "$told" = all ]; then
  install_all "$@"
  exit
fi
output=$(install_all "$@" 2>&1) && exit
status=$?
printf '%s\n' "$output"
exit "$status"
