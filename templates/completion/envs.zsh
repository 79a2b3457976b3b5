#compdef envs
# Completion of envs for zsh. In ~/.zshrc:
#
#   eval "$(envs completion zsh)"

_envs() {
  local line
  local -a described
  local -i files=0
  for line in "${(@f)$(command envs __complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}"; do
    case $line in
      '') ;;
      :files) files=1 ;;
      *) described+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
    esac
  done
  (( $#described )) && _describe -V 'envs' described
  (( files )) && { compset -P '*='; _files }
}

if [[ ${funcstack[1]-} == _envs ]]; then
  _envs "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
  compdef _envs envs
fi
