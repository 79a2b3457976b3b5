# Makes the users and files of a project's environment. Run by sh -c; its argument: the folder with the list "lines" and the content
# of the files, which envs wrote. A line is a call of one of these functions.
set -eu
umask 022

# NAME UID SHELL GROUP,GROUP
user() {
  if getent passwd "$1" >/dev/null; then
    [ -z "$2" ] || [ "$(id -u "$1")" = "$2" ] || { printf 'the user %s is there, with another number\n' "$1" >&2; exit 1; }
  else
    useradd --create-home --shell "$3" ${2:+--uid "$2"} -- "$1"
  fi
  [ -z "$4" ] || usermod --append --groups "$4" -- "$1"
}

# SOURCE TARGET MODE OWNER: what is in the folder SOURCE gets the name TARGET.
file() {
  mkdir -p -- "$(dirname -- "$2")"
  for content in "$1"/* "$1"/.[!.]*; do
    [ -e "$content" ] || [ -h "$content" ] || continue
    if [ -d "$content" ] && [ ! -h "$content" ]; then
      mkdir -p -- "$2"
      cp -R -P --preserve=mode,timestamps -- "$content/." "$2"
    else
      # A link in the place of the target is replaced, not followed.
      rm -f -- "$2"
      cp -P --preserve=mode,timestamps -- "$content" "$2"
    fi
  done
  [ -z "$3" ] || chmod "$3" -- "$2"
  chown -R -h "$4" -- "$2"
}

. "$1/lines"
