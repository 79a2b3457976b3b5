#!/bin/sh
# Completes a command line of envs. The scripts in templates/completion call it at each Tab, through bin/envs: one
# implementation for all shells, without Node, whose start would cause a noticeable delay.
#
# usage: complete.sh WORD...    the words after `envs`; the last one up to the cursor, possibly empty
#
# Prints a line for each matching word: the word, a tab, its description. `:files` alone asks the shell for names of files.
# Reads only names from the store, and prints none with characters that envs does not allow in names.
export LC_ALL=C
tables=${0%/*}/../../dist/completion
tab='	'
prefix=

# The same rules as in src/host/paths.ts.
case ${ENVS_HOME-} in
  /*) data=$ENVS_HOME/data ;;
  ?*) data=/nowhere ;;
  *) case ${XDG_DATA_HOME-} in /*) data=$XDG_DATA_HOME/envs ;; *) data=${HOME-}/.local/share/envs ;; esac ;;
esac

# WORD DESCRIPTION: prints a word that begins with the typed text.
offer() {
  case $1 in "$typed"*) printf '%s\t%s\n' "$prefix$1" "$2" ;; esac
}

# DESCRIPTION: offers each line of its input.
offer_lines() {
  while read -r line; do offer "$line" "$1"; done
}

# [GROUP]: offers the commands of a group, or those without a group, and the groups.
offer_commands() {
  while IFS=$tab read -r kind key description; do
    case $kind:$key in
      c:"${1:-.}".*) offer "${key#*.}" "$description" ;;
      c:*.*) ;;
      [cg]:*) [ -n "${1-}" ] || offer "$key" "$description" ;;
    esac
  done <"$tables/commands"
}

# WORDS, joined by a dot: sets $id.
find_command() {
  while IFS=$tab read -r kind key value; do
    case $kind:$key in
      c:"$1") id=$key && return ;;
      a:"$1") id=$value && return ;;
    esac
  done <"$tables/commands"
  return 1
}

# FLAG: sets $awaits to the kind of its value; empty for a flag without one.
find_flag() {
  awaits=
  flag=$1
  while IFS=$tab read -r kind key value _; do
    [ "$kind:$key" = "s:$flag" ] && flag=$value
    if [ "$kind:$key" = "f:$flag" ]; then
      [ "$value" = - ] || awaits=$value
      return
    fi
  done <"$tables/command.$id"
}

offer_flags() {
  while IFS=$tab read -r kind key _ description; do
    [ "$kind" = f ] && offer "$key" "$description"
  done <"$tables/command.$id"
}

is_name() {
  case $1 in '' | [!a-z0-9]* | *[!a-z0-9_.-]*) return 1 ;; esac
}

# tries | lasting
offer_environments() {
  for folder in "$data"/environments/*/; do
    name_there=${folder%/}
    name_there=${name_there##*/}
    is_name "$name_there" && [ -f "$folder/env.json" ] || continue
    case $1:$(test -f "$folder/try" && echo try) in
      lasting: | tries:try) offer "$name_there" environment ;;
    esac
  done
}

# Names as src/store/environments.ts makes them.
offer_removed() {
  for folder in "$data"/environments/.trash.*.*-*.*/; do
    name_there=${folder%/}
    name_there=${name_there##*/.trash.}
    name_there=${name_there#*.*.}
    is_name "$name_there" && offer "$name_there" 'removed environment'
  done | sort -u
}

# ENVIRONMENT: reads a file of src/store/history.ts.
offer_snapshots() {
  is_name "$1" || return
  sed -n 's/^   "label": "\([a-z0-9][a-z0-9_.-]*\)",*$/\1/p' "$data/environments/$1/history.json" 2>/dev/null |
    offer_lines snapshot
}

# Reads files of src/images/cache/record.ts.
offer_images() {
  sed -n 's/^  "name": "\([a-zA-Z0-9][a-zA-Z0-9:\/._+-]*\)",*$/\1/p' "$data"/images/*/image.json 2>/dev/null |
    sort -u | offer_lines 'image that is kept here'
}

offer_releases() {
  while IFS=$tab read -r key description; do offer "$key" "$description"; done <"$tables/releases"
}

# [SETTING]: offers its values; without it, all settings.
offer_settings() {
  while IFS=$tab read -r key value; do
    if [ $# -eq 0 ]; then
      offer "$key" setting
    elif [ "$key" = "$1" ] && [ "$value" != - ]; then
      offer_kind "=$value"
    fi
  done <"$tables/settings"
}

# KIND, as in scripts/completion-table.mjs.
offer_kind() {
  case $1 in
    environment) offer_environments lasting ;;
    try) offer_environments tries ;;
    removed) offer_removed ;;
    snapshot) offer_snapshots "$name" ;;
    kept) offer_images ;;
    release) offer_releases ;;
    image)
      offer_images
      offer_releases
      case $typed in */* | .* | '~'*) echo :files ;; esac
      ;;
    file) echo :files ;;
    setting) offer_settings ;;
    value) offer_settings "$name" ;;
    =*)
      values=${1#=},
      while [ -n "$values" ]; do
        offer "${values%%,*}" value
        values=${values#*,}
      done
      ;;
  esac
}

[ "${1-}" = help ] && [ $# -gt 1 ] && shift && is_help=1
if [ $# -le 1 ]; then
  typed=${1-}
  offer_commands
  [ -n "${is_help-}" ] || {
    offer help 'Show how to use a command.'
    offer --help 'Show what there is.'
    offer --version 'Show the versions of envs and Node.'
  }
  exit 0
fi

if [ $# -gt 2 ] && find_command "$1.$2"; then
  shift 2
elif find_command "$1"; then
  shift
else
  typed=$2
  [ $# -gt 2 ] || offer_commands "$1"
  exit 0
fi
[ -n "${is_help-}" ] && exit 0

name=
count=0
awaits=
while IFS=$tab read -r kind value; do
  [ "$kind" = t ] && takes=$value && break
done <"$tables/command.$id"

while [ $# -gt 1 ]; do
  if [ -n "$awaits" ]; then
    awaits=
  else
    case $1 in
      --) exit 0 ;; # what follows is the guest's
      --*=*) ;;
      --* | -?) find_flag "$1" ;;
      -*) ;;
      *)
        count=$((count + 1))
        [ $count -gt 1 ] || name=$1
        ;;
    esac
  fi
  shift
done
typed=$1

if [ -n "$awaits" ]; then
  offer_kind "$awaits"
  exit 0
fi
kind=none
set -f
for kind in $takes; do
  # The last one may be repeated.
  case $kind in *'*') kind=${kind%?} && break ;; esac
  [ $count -eq 0 ] && break
  count=$((count - 1))
  kind=none
done
set +f
[ "$kind" = guest ] && exit 0
case $typed in
  --*=*)
    prefix=${typed%%=*}=
    find_flag "${prefix%=}"
    typed=${typed#*=}
    offer_kind "$awaits"
    ;;
  -*) offer_flags ;;
  *) offer_kind "$kind" ;;
esac
exit 0
