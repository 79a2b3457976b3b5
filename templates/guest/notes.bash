# Explains a command that can't work in an environment, before the next prompt of bash: PROMPT_COMMAND sources this file with
# the status of the last command. Its standard error is discarded, so that `set -x` shows nothing of it.
_envs_note() {
  local line pattern programs text shown=${_envs_shown-}
  local form='^ *([0-9]+)\*? +(.*)$'
  line=$(HISTTIMEFORMAT='' builtin history 1)
  [[ $line =~ $form ]] || { _envs_number=0; return; }
  # The last line of an earlier shell is in the history too, and an empty line repeats the status.
  [[ ${_envs_number-} ]] || { _envs_number=${BASH_REMATCH[1]}; return; }
  [[ $_envs_number != "${BASH_REMATCH[1]}" ]] || return
  _envs_number=${BASH_REMATCH[1]} line=${BASH_REMATCH[2]}
  while IFS= read -r text; do
    programs=${text%%: *} text=${text#*: }
    if [[ $programs = service ]]; then
      # Its script starts a server in the background, and does not see that it ends again.
      pattern='(^|[;&|(]|sudo ) *((/usr)?(/s?bin/)?service|/etc/init\.d/[^ ]+) ([^;&|]* )?(re)?start *($|[;&|)])'
      [[ $shown != *"$text"* ]] || continue
    else
      [[ $1 != 0 ]] || continue
      pattern="(^|[;&|(]|sudo ) *((/usr)?/s?bin/)?(${programs// /|}) *(\$|[ ;&|)])"
    fi
    [[ $line =~ $pattern ]] || continue
    _envs_shown=$shown$text
    printf 'envs: %s\n' "$text"
    return
  done
}
_envs_note "$1" <<'END OF NOTES'
{notes}
END OF NOTES
unset -f _envs_note
