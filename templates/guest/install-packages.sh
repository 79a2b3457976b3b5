# Installs packages in a new environment. Run by sh -c; its arguments: "all", or "failures" to print only failures,
# and the packages.
#
# Standard input and output belong to the command that runs afterwards.
exec </dev/null >&2

has_lists() {
  for list in /var/lib/apt/lists/*Packages*; do
    [ -e "$list" ] && return
  done
  return 1
}

# The package lists of an image may be too old for its APT repository.
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
