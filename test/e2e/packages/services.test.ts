import assert from 'node:assert/strict'
import {test} from 'node:test'
import {ownGuest} from '../../support/guest.js'

/** A package with a service, as debhelper writes its scripts: it starts what it installs and stops what it removes. */
const MAKE_PACKAGE = `
mkdir -p /build/DEBIAN /build/etc/init.d && cd /build || exit
printf 'Package: played\\nVersion: 1\\nArchitecture: all\\nMaintainer: nobody\\nDescription: x\\n' >DEBIAN/control
printf '#!/bin/sh\\nset -e\\ninvoke-rc.d --skip-systemd-native played start\\n' >DEBIAN/postinst
printf '#!/bin/sh\\nset -e\\ninvoke-rc.d --skip-systemd-native played stop\\n' >DEBIAN/prerm
cat >etc/init.d/played <<'END'
#!/bin/sh
### BEGIN INIT INFO
# Provides: played
# Required-Start:
# Required-Stop:
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
# Short-Description: played
### END INIT INFO
echo "$1" >>/var/lib/played
END
chmod 755 DEBIAN/postinst DEBIAN/prerm etc/init.d/played
dpkg-deb --build /build /played.deb`

test('a package does not start its service when it is installed, and stops it when it is removed', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  const seen = async () => (await guest.sh('cat /var/lib/played')).stdout
  const made = await guest.sh(`: >/var/lib/played; ${MAKE_PACKAGE}`)
  assert.equal(made.status, 0, made.stderr)

  const installed = await guest.sh('dpkg -i /played.deb')
  assert.equal(installed.status, 0, installed.stdout + installed.stderr)
  assert.equal(await seen(), '')

  assert.equal((await guest.sh('service played start')).status, 0)
  const removed = await guest.sh('dpkg -P played')
  assert.equal(removed.status, 0, removed.stdout + removed.stderr)
  assert.equal(await seen(), 'start\nstop\n')
})
