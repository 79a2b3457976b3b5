# Adds the APT sources of a project and installs its packages. Run by sh -c; its arguments: the folder with the sources, which envs
# wrote, "yes" to install recommended packages too, and the packages.
set -eu
umask 022
exec </dev/null

for source in "$1"/source-*.sources; do
  [ -e "$source" ] || continue
  base=${source%.sources}
  { read -r file; read -r key; } <"$base.key"
  mkdir -p /etc/apt/keyrings
  cp -- "$base/$file" "$key"
  chmod 0644 -- "$key"
  cp -- "$source" "/etc/apt/sources.list.d/envs-project-${base##*-}.sources"
  [ ! -e "$base.pref" ] || cp -- "$base.pref" "/etc/apt/preferences.d/envs-project-${base##*-}"
done
recommends=$2
shift 2
apt-get update
[ $# -gt 0 ] || exit 0
apt-get install -y -o "APT::Install-Recommends=$recommends" -- "$@"
