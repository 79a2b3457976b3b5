# Reads files from standard input as a tar archive, and gives them to who runs this. A file is the member "./f", all others are below "./".
#
# usage: receive-files.sh PATH KIND NAME
#   PATH  where they go: into a folder of this name under NAME, else under this name
#   KIND  "file"; "folder"; or "contents", which go into the folder itself
target=$1 kind=$2 name=$3
command -v tar >/dev/null || exit 42
case $target in
  */) [ -d "$target" ] || exit 43 ;;
esac
if [ -d "$target" ] && [ "$kind" != contents ]; then target=${target%/}/$name; fi
case $target in
  /*/*) parent=${target%/*} ;;
  /*) parent=/ ;;
  */*) parent=${target%/*} ;;
  *) parent=. ;;
esac
if [ "$kind" = file ]; then
  [ ! -d "$target" ] || exit 44
  [ -d "$parent" ] || exit 43
  work=$(mktemp -d "$parent/.envs-cp.XXXXXXXX") || exit 2
  trap 'rm -rf -- "$work"' EXIT
  trap 'exit 2' HUP INT TERM
  tar -x -o -p -f - -C "$work" || exit 2
  mv -f -- "$work/f" "$target" || exit 2
  exit 0
fi
if [ ! -d "$target" ]; then
  [ ! -e "$target" ] && [ ! -L "$target" ] || exit 44
  [ -d "$parent" ] || exit 43
  mkdir -- "$target" || exit 2
fi
exec tar -x -o -p -f - -C "$target"
