import assert from 'node:assert/strict'
import {execFileSync} from 'node:child_process'
import {test} from 'node:test'
import {templatePath} from '../../../src/host/paths.js'
import {type Guest, IDENTITIES, ownGuest, sharedGuest} from '../../support/guest.js'

const LAY = '/usr/lib/envs/lay-shims'
const LAID = '/usr/lib/envs/become'
const APT = 'DEBIAN_FRONTEND=noninteractive apt-get -qq -o APT::Update::Error-Mode=any'

/** Where /usr/bin/NAME leads, what the program itself is, and how often dpkg has it diverted. */
async function stateOf({sh}: Guest, name: string): Promise<string> {
  const {stdout} = await sh(
    `cd /usr/bin; readlink ${name} || stat -c %F ${name}; stat -c "%F %a" ${name}.distrib; ls | grep -c "^${name}\\.envs"
     dpkg-divert --list "*/${name}"`,
  )
  return stdout
}

const SU_LAID = `${LAID}\nregular file 4755\n0\nlocal diversion of /usr/bin/su to /usr/bin/su.distrib\n`

const play = sharedGuest('emulated')

test('a start lays su, and laying it again changes nothing', async () => {
  const guest = await play()
  assert.equal(await stateOf(guest, 'su'), SU_LAID)
  const times = 'stat -c "%i %y" /usr/bin/su /usr/sbin/runuser /var/lib/dpkg/diversions'
  const before = (await guest.sh(times)).stdout
  assert.equal((await guest.sh(LAY)).status, 0)
  assert.equal((await guest.sh(times)).stdout, before)
})

for (const [when, undo] of [
  ['after dpkg was told', 'mv /usr/bin/su.distrib /usr/bin/su'],
  [
    'before the link took the place of the program',
    'rm /usr/bin/su; ln /usr/bin/su.distrib /usr/bin/su; ln -s /no/such /usr/bin/su.envs-new',
  ],
  ['without the link', 'rm /usr/bin/su'],
  [
    'before dpkg was told',
    'mv /usr/bin/su.distrib /usr/bin/su; dpkg-divert --quiet --local --no-rename --remove /usr/bin/su',
  ],
] as const) {
  test(`laying that was interrupted ${when} is mended by the next`, async () => {
    const guest = await play()
    assert.equal((await guest.sh(`${undo}; ${LAY}`)).status, 0)
    assert.equal(await stateOf(guest, 'su'), SU_LAID)
    assert.equal((await guest.run('su', 'games', '-s', '/bin/sh', '-c', 'id -un')).stdout, 'games\n')
  })
}

test('a program that a new release installs under its other name is laid again', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  // As bookworm has it, and as the upgrade to trixie leaves it.
  const old = `dpkg-divert --quiet --local --no-rename --remove /usr/bin/su
    mv /usr/bin/su.distrib /usr/bin/su; sed -i 's:^/usr/bin/su$:/bin/su:' /var/lib/dpkg/info/util-linux.list; ${LAY}`
  assert.equal((await guest.sh(old)).status, 0)
  assert.match(await stateOf(guest, 'su'), /\nlocal diversion of \/bin\/su to \/bin\/su\.distrib\n$/)
  const upgraded = `sed -i 's:^/bin/su$:/usr/bin/su:' /var/lib/dpkg/info/util-linux.list
    cp -p /usr/bin/su.distrib /usr/bin/su.new; mv /usr/bin/su.new /usr/bin/su; ${LAY}`
  assert.equal((await guest.sh(upgraded)).status, 0)
  const state = await stateOf(guest, 'su')
  assert.match(state, /\nlocal diversion of \/usr\/bin\/su to \/usr\/bin\/su\.distrib\n/)
  assert.equal(state.split('\n')[0], LAID)
})

test('an upgrade of its package leaves su laid, with the new program behind it', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  await guest.sh(': >>/usr/bin/su.distrib; touch -d 2001-01-01 /usr/bin/su.distrib')
  const script = `${APT} update && ${APT} install -y --reinstall util-linux >/dev/null && dpkg --verify util-linux`
  const upgraded = await guest.sh(script)
  assert.deepEqual([upgraded.status, upgraded.stdout], [0, ''], upgraded.stderr)
  assert.equal(await stateOf(guest, 'su'), SU_LAID)
  assert.notEqual((await guest.sh('stat -c %y /usr/bin/su.distrib')).stdout.slice(0, 4), '2001')
})

test('sudo is laid when it is installed, for the packages that are configured with it, and goes with its package', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  assert.equal((await guest.run('sh', '-c', 'ls /usr/bin | grep -c sudo')).stdout, '0\n')
  const installed = await guest.sh(`${APT} update && ${APT} install -y sudo >/dev/null`)
  assert.equal(installed.status, 0, installed.stderr)
  assert.match(await stateOf(guest, 'sudo'), new RegExp(`^${LAID}\nregular file 4755\n0\nlocal diversion`))

  const removed = await guest.sh('SUDO_FORCE_REMOVE=yes dpkg --remove sudo >/dev/null; sudo -u games id -un')
  assert.deepEqual([removed.status, removed.stderr.split('\n').at(-2)], [127, 'sudo: not installed'])
  assert.equal((await guest.sh(LAY)).status, 0)
  assert.equal((await guest.sh('ls /usr/bin | grep -c sudo; dpkg-divert --list "*/sudo"')).stdout, '0\n')
})

test('a link of the guest that is not ours is left alone', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  await guest.sh(`ln -s true /usr/bin/sudo; ln -s ${LAID} /usr/bin/other; ${LAY}`)
  assert.equal((await guest.sh('readlink /usr/bin/sudo /usr/bin/other')).stdout, `true\n${LAID}\n`)
})

test('a program behind an alternative is found through its links', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  const script = `mkdir -p /usr/lib/cargo/bin; cp -p /usr/bin/su.distrib /usr/lib/cargo/bin/sudo
    ln -s /usr/lib/cargo/bin/sudo /etc/alternatives/sudo; ln -s /etc/alternatives/sudo /usr/bin/sudo
    ${LAY}; ${LAY}; readlink /usr/lib/cargo/bin/sudo /usr/bin/sudo; sudo -u games id -un`
  assert.equal((await guest.sh(script)).stdout, `${LAID}\n/etc/alternatives/sudo\ngames\n`)
})

const skip = IDENTITIES.find(({identity}) => identity === 'mapped')?.skip ?? false

test('mapped: nothing is laid', {skip}, async (t) => {
  const guest = await ownGuest(t, 'mapped')
  const ran = await guest.sh(
    `ls ${LAID} ${LAY} 2>&1 | grep -c 'No such'; readlink /usr/bin/su; dpkg-divert --list '*/su'`,
  )
  assert.equal(ran.stdout, '2\n')
})

test('mapped: where it was laid nevertheless, su is the real one', {skip}, async (t) => {
  const guest = await ownGuest(t, 'mapped')
  const input = execFileSync('tar', ['-C', templatePath('rootfs'), '-c', 'become', 'become.d', 'lay-shims'])
  const lay = `mkdir -p /usr/lib/envs; cd /usr/lib/envs; tar -xf - --no-same-owner; chmod 755 become lay-shims; ./lay-shims`
  assert.equal((await guest.runWith({input}, 'sh', '-c', lay)).status, 0)
  assert.equal(await stateOf(guest, 'su'), SU_LAID)
  const ran = await guest.sh(`su games -s /bin/sh -c 'id -un; stat -c %U /etc/passwd'`)
  assert.deepEqual([ran.stdout, ran.stderr], ['games\nroot\n', ''])
})
