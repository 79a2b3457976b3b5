import assert from 'node:assert/strict'
import {test} from 'node:test'
import {IDENTITIES, ownGuest, sharedGuest} from '../../support/guest.js'

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)

  for (const [user, expected] of [
    ['root', '0 0 root /root /bin/bash'],
    ['0', '0 0 root /root /bin/bash'],
    ['games', '5 60 games /usr/games /bin/sh'],
    ['5', '5 60 games /usr/games /bin/sh'],
    ['games:tape', '5 26 games /usr/games /bin/sh'],
    ['games:26', '5 26 games /usr/games /bin/sh'],
    ['12345', '12345 12345 12345 / /bin/sh'],
    ['12345:tape', '12345 26 12345 / /bin/sh'],
    ['12345:54321', '12345 54321 12345 / /bin/sh'],
    ['root:tape', '0 26 root /root /bin/bash'],
  ] as const) {
    test(`${identity}: --user ${user} is that user, with home and shell`, {skip}, async () => {
      const {runWith} = await play()
      const script = 'echo $(id -u) $(id -g) $USER $HOME $SHELL'
      const ran = await runWith({flags: ['--user', user]}, 'sh', '-c', script)
      assert.deepEqual([ran.stdout, ran.stderr], [`${expected}\n`, ''])
    })
  }

  test(`${identity}: the file a user makes is that user's in the guest`, {skip}, async () => {
    const {runWith} = await play()
    const ran = await runWith(
      {flags: ['-u', 'games']},
      ...['sh', '-c', 'touch /tmp/of-games && stat -c "%u %g" /tmp/of-games; rm /tmp/of-games'],
    )
    assert.equal(ran.stdout, '5 60\n')
  })

  test(`${identity}: a user can not become root again`, {skip}, async () => {
    const {runWith} = await play()
    const ran = await runWith({flags: ['-u', 'games']}, 'perl', '-e', '$> = 0; $< = 0; print "$< $>\\n"')
    assert.equal(ran.stdout, '5 5\n')
  })
}

test('mapped: a user has the groups that /etc/group gives', mappedOnly(), async (t) => {
  const own = await ownGuest(t, 'mapped')
  await own.sh('sed -i "s/^tape:.*/tape:x:26:games,www-data/; s/^audio:.*/audio:x:29:games/" /etc/group')
  assert.equal((await own.runWith({flags: ['-u', 'games']}, 'id', '-G')).stdout, '60 26 29\n')
})

for (const user of ['root', 'games', '12345']) {
  test(`mapped: ${user} has none of the caller's groups`, mappedOnly(), async (t) => {
    const own = await ownGuest(t, 'mapped')
    const ran = await own.runWith({flags: ['-u', user]}, 'grep', '^Groups:', '/proc/self/status')
    const expected = {root: '0', games: '60', 12345: '12345'}[user]
    assert.equal(ran.stdout.trim().replace(/\s+/g, ' '), `Groups: ${expected}`)
  })
}

test("mapped: a user can not write what is root's", mappedOnly(), async (t) => {
  const own = await ownGuest(t, 'mapped')
  const ran = await own.runWith({flags: ['-u', 'games']}, 'sh', '-c', 'echo x >/etc/mine; id -u')
  assert.deepEqual([ran.stdout, /Permission denied/.test(ran.stderr)], ['5\n', true])
})

function mappedOnly() {
  return {skip: IDENTITIES.find(({identity}) => identity === 'mapped')?.skip ?? false}
}
