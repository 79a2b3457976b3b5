# Completion of envs for bash 4.4 or later. In ~/.bashrc:
#
#   eval "$(envs completion bash)"

_envs() {
  local rest=${COMP_LINE:0:COMP_POINT} words=() index word trimmed line typed beginning
  # bash splits words at : and = too; join the parts that no space separates.
  for ((index = 0; index <= COMP_CWORD; index++)); do
    trimmed=${rest#"${rest%%[![:space:]]*}"}
    word=${COMP_WORDS[index]}
    ((index == COMP_CWORD)) && word=$trimmed
    if ((index == 0)) || [[ $trimmed != "$rest" || -z $rest ]]; then
      words+=("$word")
    else
      words[-1]+=$word
    fi
    rest=${trimmed#"$word"}
  done
  typed=${words[-1]}
  # bash replaces only the part after the last separator.
  beginning=${typed%"${typed##*[:=]}"}
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      compopt -o default
    else
      line=${line%%$'\t'*}
      COMPREPLY+=("${line#"$beginning"}")
    fi
  done < <(command envs __complete "${words[@]:1}" 2>/dev/null)
  return 0
}

complete -F _envs envs
