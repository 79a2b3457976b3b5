# Configures packages that were unpacked into this tree, and installs others by dpkg. Run by sh -c after assignments:
# epoch, preinst (names of packages in dpkg's files), debs (paths). Inherited: 4 pipe for a line about each step, 5
# pipe that ends with the waiting process.
exec 3>&- 6>&- 7>&- 8>&- 9>&-
(read -r _ <&5; kill -9 -1) 4>&- >/dev/null 2>&1 &
guard=$!
exec 5>&- </dev/null
chmod 1777 /dev/shm
cd /
export HOME=/root TERM=dumb LC_ALL=C.UTF-8 LANGUAGE=C
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true DEBCONF_NOWARNINGS=yes
export SOURCE_DATE_EPOCH="$epoch"
umask 022
info=/var/lib/dpkg/info
scripts=/var/lib/dpkg/tmp.ci

leave() {
  kill $guard
  echo "end $1" >&4
  exit 0
}

# As dpkg runs them, in a folder where debconf looks for the package's name and questions. Files of this package and
# of all others exist already.
run_preinst() (
  name=${1%%:*}
  echo "preinst $name" >&4
  exec 4>&-
  mkdir $scripts
  for file in preinst config templates; do
    [ ! -e "$info/$1.$file" ] || cp -p "$info/$1.$file" $scripts/$file
  done
  echo "Package: $name" >$scripts/control
  export DPKG_MAINTSCRIPT_PACKAGE=$name DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1 DPKG_MAINTSCRIPT_NAME=preinst
  export DPKG_MAINTSCRIPT_ARCH=$architecture DPKG_RUNNING_VERSION=$dpkg_version DPKG_ROOT= DPKG_ADMINDIR=/var/lib/dpkg
  $scripts/preinst install
  status=$?
  rm -rf $scripts
  exit $status
)

architecture=$(dpkg --print-architecture 4>&-) || leave 1
dpkg_version=$(dpkg-query --admindir=/var/lib/dpkg -W -f '${Version}' dpkg 4>&-) || leave 1
for package in $preinst; do
  run_preinst "$package" || {
    echo "envs: $package: its preinst ended with status $?"
    leave 1
  }
done

# A failed package may need another one that comes later: the rest is tried again.
options='--force-unsafe-io --force-depends --force-confold'
for attempt in 1 2 3; do
  if dpkg --status-fd 4 $options --configure --pending; then break; fi
  [ $attempt -lt 3 ] || leave 1
done

# In the given order: a package that needs another one before unpacking is tried again after that is configured.
for attempt in 1 2 3; do
  [ -n "$debs" ] || break
  if dpkg --status-fd 4 $options --install $debs; then break; fi
  [ $attempt -lt 3 ] || leave 1
  dpkg --status-fd 4 $options --configure --pending
done
dpkg --status-fd 4 $options --configure --pending || leave 1

problems=$(dpkg --audit 4>&-)
[ -z "$problems" ] || {
  echo "$problems"
  leave 1
}
leave 0
