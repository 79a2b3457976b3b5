import assert from 'node:assert/strict'
import {test} from 'node:test'
import {type Guest, IDENTITIES, sharedGuest} from '../../support/guest.js'
import {assertDocumented} from '../../support/json-schema.js'

/** Packages with an init script alone, with a unit alone, and with both, as debhelper makes their scripts. */
const MAKE_PACKAGES = `
control() {
  mkdir -p /build/$1/DEBIAN /build/$1/usr/lib/systemd/system /build/$1/etc/init.d
  printf 'Package: %s\\nVersion: 1\\nArchitecture: all\\nMaintainer: nobody\\nDescription: x\\n' $1 >/build/$1/DEBIAN/control
  printf '#!/bin/sh\\n' >/build/$1/DEBIAN/postinst
  chmod 755 /build/$1/DEBIAN/postinst
}
script() {
  printf '#!/bin/sh\\n### BEGIN INIT INFO\\n# Provides: %s\\n# Required-Start:\\n# Required-Stop:\\n# Default-Start: 2 3 4 5\\n# Default-Stop: 0 1 6\\n# Short-Description: The %s of tests\\n### END INIT INFO\\nexit 0\\n' $1 $1 >/build/$1/etc/init.d/$1
  chmod 755 /build/$1/etc/init.d/$1
  printf 'update-rc.d %s defaults >/dev/null\\ninvoke-rc.d %s start\\n' $1 $1 >>/build/$1/DEBIAN/postinst
}
unit() {
  printf '[Unit]\\nDescription=The %s unit\\n[Service]\\nExecStart=/bin/true\\n[Install]\\nWantedBy=multi-user.target\\n' $1 >/build/$1/usr/lib/systemd/system/$1.service
  printf 'deb-systemd-helper enable %s.service >/dev/null\\n' $1 >>/build/$1/DEBIAN/postinst
}
control only-script && script only-script
control only-unit && unit only-unit
control of-both && unit of-both && script of-both
for name in only-script only-unit of-both; do
  dpkg-deb --build --root-owner-group /build/$name /$name.deb >/dev/null || exit
done`

type Listed = {services: {unit: string; state: string; description: string; isEnabled: boolean}[]}

async function listed({cli}: Guest): Promise<[unit: string, state: string, description: string][]> {
  const {status, stdout, stderr} = await cli.run('services', 'play', '--json')
  assert.equal(status, 0, stderr)
  await assertDocumented('services', JSON.parse(stdout))
  const {services}: Listed = JSON.parse(stdout)
  return services.map(({unit, state, description}) => [unit, state, description])
}

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)

  test(`${identity}: policy-rc.d forbids starts and records them, in each form that Debian's programs use`, {
    skip,
  }, async () => {
    const {sh} = await play()
    const calls = [
      ['by-name start', 101],
      ['"by runlevel" "start" 2', 101],
      ['by-unit.service start', 101],
      ['in-parentheses "(start)"', 101],
      ['at-upgrade "restart"', 101],
      ['--quiet asked status', 101],
      ['--quiet quietly start', 101],
      ['stopped stop', 0],
      ['--quiet stopped stop', 0],
      ['envs start', 101],
      ['by-name start', 101],
      ['../out start', 101],
      ['-x start', 101],
    ] as const
    const script = calls.map(([words]) => `/usr/sbin/policy-rc.d ${words}; echo $?`).join('\n')
    const {stdout} = await sh(`rm -rf /var/lib/envs; ${script}; cat /var/lib/envs/would-start`)
    const lines = stdout.split('\n').slice(0, -1)
    assert.deepEqual(
      lines.slice(0, calls.length).map(Number),
      calls.map(([, status]) => status),
    )
    assert.deepEqual(lines.slice(calls.length), [
      'by-name',
      'by-unit',
      'in-parentheses',
      'at-upgrade',
      'quietly',
    ])
  })

  test(`${identity}: where an init runs, policy-rc.d permits all and records nothing`, {skip}, async () => {
    const {sh} = await play()
    const script = `rm -rf /var/lib/envs; mkdir -p /run/systemd/system
      /usr/sbin/policy-rc.d nginx start; echo $?; ls /var/lib/envs; rmdir /run/systemd/system`
    assert.equal((await sh(script)).stdout, '0\n')
  })

  test(`${identity}: an installation names what did not start, once, and envs services lists it`, {
    skip,
  }, async () => {
    const guest = await play()
    assert.equal((await guest.sh(`rm -rf /var/lib/envs; ${MAKE_PACKAGES}`)).status, 0)
    assert.deepEqual(await listed(guest), [])
    const installed = await guest.sh('apt-get -qq install /only-script.deb /of-both.deb >/dev/null')
    assert.equal(installed.status, 0, installed.stderr)
    assert.deepEqual(linesOfEnvs(installed.stderr), [
      'envs: Installed, not started: of-both, only-script.',
      '  Start now: envs services play start of-both only-script; always: envs set play init=services',
    ])
    const byHand = await guest.sh('dpkg -i /only-unit.deb >/dev/null')
    assert.deepEqual(linesOfEnvs(byHand.stderr), [
      'envs: Installed, not started: only-unit.',
      '  Start now: envs services play start only-unit; always: envs set play init=services',
    ])
    const again = await guest.sh('apt-get -qq install --reinstall /only-script.deb /of-both.deb >/dev/null')
    assert.deepEqual([again.status, linesOfEnvs(again.stderr)], [0, []])
    assert.deepEqual(await listed(guest), [
      ['of-both.service', 'would-start', 'The of-both unit'],
      ['only-script.service', 'would-start', 'The only-script of tests'],
      ['only-unit.service', 'would-start', 'The only-unit unit'],
    ])
  })

  test(`${identity}: a removed service leaves the list, a disabled one would not start`, {skip}, async () => {
    const guest = await play()
    const removed = await guest.sh(
      'apt-get -qq remove only-unit of-both >/dev/null; update-rc.d only-script disable; cat /var/lib/envs/would-start',
    )
    assert.deepEqual([removed.status, removed.stdout], [0, 'only-script\n'], removed.stderr)
    assert.deepEqual(await listed(guest), [['only-script.service', 'inactive', 'The only-script of tests']])
  })
}

/** The lines of envs in what APT and dpkg print. */
function linesOfEnvs(text: string): string[] {
  return text.split('\n').filter((line) => /^envs: |^ {2}Start now/.test(line))
}
