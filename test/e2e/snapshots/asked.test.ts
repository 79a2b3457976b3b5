import assert from 'node:assert/strict'
import {type Guest, IDENTITIES, ownGuest, sharedGuest} from '../../support/guest.js'
import {listenersOf} from '../../support/listeners.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {waitUntil} from '../../support/wait-until.js'

/** A package called later, at /var/tmp/later.deb. */
const BUILD = `mkdir -p /var/tmp/later/DEBIAN /var/tmp/later/opt && echo later >/var/tmp/later/opt/later &&
printf 'Package: later\\nVersion: 1\\nArchitecture: all\\nMaintainer: nobody <nobody@localhost>\\nDescription: later\\n' \
  >/var/tmp/later/DEBIAN/control &&
dpkg-deb --build /var/tmp/later /var/tmp/later.deb`

const APT = 'apt-get install -y /var/tmp/later.deb'
const ASK = '/usr/lib/envs/ask-restore-point'

const LOOK = 'cat /etc/settled /opt/later 2>/dev/null; dpkg-query -W later 2>/dev/null; :'

for (const {identity, skip} of IDENTITIES) {
  test(`undo goes back to before an install in a long session, ${identity}`, {skip}, async (t) => {
    const guest = await ownGuest(t, identity)
    await session(guest, BUILD)
    await stop(guest)
    await session(guest, `sleep 300 >/dev/null 2>&1 & echo yes >/etc/settled; ${APT}`)
    assert.equal(await seen(guest), 'yes\nlater\nlater\t1\n')
    assert.deepEqual(await points(guest), ['auto automatic', 'apt automatic'])
    assert.equal((await guest.cli.run('undo', 'play')).status, 4)
    assert.equal((await guest.cli.run('undo', 'play', '--force')).status, 0)
    assert.equal(await seen(guest), 'yes\n')
    assert.equal((await guest.cli.run('undo', 'play', '--force')).status, 0)
    assert.equal(await seen(guest), '')
    assert.match((await guest.sh('ls /var/tmp')).stdout, /^later\.deb$/m)
  })
}

const shared = sharedGuest('emulated')

test('dpkg asks too, when it is not APT that calls it', async () => {
  const guest = await shared()
  await session(guest, `${BUILD}; echo dpkg >/etc/settled; dpkg -i /var/tmp/later.deb`)
  assert.deepEqual(await points(guest), ['apt automatic'])
  assert.equal((await guest.cli.run('undo', 'play', '--force')).status, 0)
  assert.equal(await seen(guest), 'dpkg\n')
  await stop(guest)
})

test('an install in an environment that has just been started asks for nothing new', async () => {
  const guest = await shared()
  const before = await askedFor(guest)
  await session(guest, APT)
  assert.equal(await askedFor(guest), before)
  await stop(guest)
})

test('of two requests in one minute one is met', async () => {
  const guest = await shared()
  const before = await askedFor(guest)
  const once = (number: number) => `echo ${number} >/etc/settled; ${ASK}; sleep 1.5`
  await session(guest, `${once(1)}; ${once(2)}`)
  assert.equal(await askedFor(guest), before + 1)
  await stop(guest)
})

test('what is too large to be copied is told in the guest, with what to do', async () => {
  const guest = await shared()
  const before = await askedFor(guest)
  const ran = await guest.sh(`fallocate -l 600M /root/large || head -c 600M /dev/zero >/root/large; ${ASK}`)
  assert.equal(
    ran.stderr,
    'envs: No point to go back to was made, for too much would have to be copied.\n' +
      '  To make one, outside of this environment: envs snapshot play\n',
  )
  assert.equal(await askedFor(guest), before)
  await guest.sh('rm /root/large')
  await stop(guest)
})

test('who listens ends with the environment, and there is one after the next start', async () => {
  const guest = await shared()
  for (const _ of [1, 2, 3]) {
    await session(guest, `echo x >>/etc/settled; ${ASK}; sleep 300 >/dev/null 2>&1 &`)
    await stop(guest)
  }
  await session(guest, 'sleep 300 >/dev/null 2>&1 &')
  await waitUntil('the others to end', async () => (await listenersOf(guest)).length === 1)
  await stop(guest)
  await waitUntil('the last to end', async () => (await listenersOf(guest)).length === 0)
})

const plain = sharedGuest('emulated', {isPlain: true})

test('in an environment that is one folder nobody listens, and APT does not wait', async () => {
  const guest = await plain()
  await session(
    guest,
    `${BUILD}; test ! -e /run/envs/restore-point && ${ASK} && apt-get install -y /var/tmp/later.deb`,
  )
  assert.deepEqual(await listenersOf(guest), [])
})

async function session(guest: Guest, script: string): Promise<void> {
  const run = await guest.sh(`(${script}) 2>&1`)
  assert.equal(run.status, 0, run.stdout)
}

async function seen(guest: Guest): Promise<string> {
  return (await guest.sh(LOOK)).stdout
}

async function stop(guest: Guest): Promise<void> {
  await guest.cli.run('stop', '-f', 'play')
}

/** How many points were made because the guest asked. */
async function askedFor(guest: Guest): Promise<number> {
  return (await points(guest)).filter((point) => point === 'apt automatic').length
}

/** Of each snapshot what its label begins with, and its kind. */
async function points(guest: Guest): Promise<string[]> {
  const listed: {label: string; kind: string}[] = JSON.parse(
    (await guest.cli.run('snapshots', 'play', '--json')).stdout,
  )
  return listed.map(({label, kind}) => `${label.split('-')[0]} ${kind}`)
}
