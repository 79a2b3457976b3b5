# Writes a file or a folder to standard output as a tar archive: a folder is the member "./", a file "./NAME". A link that PATH names is
# followed, any other is copied as a link. envs cp reads the archive.
#
# usage: send-files.sh PATH
path=$1
command -v tar >/dev/null || exit 42
[ -e "$path" ] || [ -L "$path" ] || exit 41
if [ -d "$path" ]; then
  cd -- "$path" || exit 2
  set -- .
else
  [ ! -L "$path" ] || [ ! -e "$path" ] || path=$(readlink -f -- "$path")
  case $path in
    /*/*) cd -- "${path%/*}" || exit 2 ;;
    /*) cd / || exit 2 ;;
    */*) cd -- "${path%/*}" || exit 2 ;;
  esac
  set -- "./${path##*/}"
fi
case $(tar --version 2>/dev/null) in
  *GNU*) exec tar --one-file-system -cf - -- "$@" ;;
esac
exec tar -cf - "$@"
