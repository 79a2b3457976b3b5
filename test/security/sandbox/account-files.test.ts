import assert from 'node:assert/strict'
import {copyFile, rm} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {type Guest, IDENTITIES, sharedGuest} from '../../support/guest.js'

/** Lets the test spoil a file of the guest's, and puts it back from outside afterwards. */
async function spoil(t: TestContext, guest: Guest, file: string, plant: string): Promise<void> {
  const [path, kept] = [join(guest.root, file), join(guest.cli.home, 'kept')]
  await copyFile(path, kept)
  t.after(async () => {
    await rm(path, {recursive: true, force: true})
    await copyFile(kept, path)
  })
  const ran = await guest.sh(plant)
  assert.equal(ran.status, 0, ran.stderr)
}

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity, {isPlain: true})

  for (const [what, plant] of [
    ['is gone', 'rm /etc/passwd'],
    ['is a folder', 'rm /etc/passwd; mkdir /etc/passwd'],
    ['is a FIFO that nobody writes to', 'rm /etc/passwd; mkfifo /etc/passwd'],
    ['is /dev/zero', 'ln -sf /dev/zero /etc/passwd'],
    ['is a terabyte of nothing', 'truncate -s 1T /etc/passwd'],
    ['has lines of no form', 'printf ":::\\n\\n::::::::\\n\\377\\000\\n" >/etc/passwd'],
  ] as const) {
    test(`${identity}: a session as root works, and in time, when /etc/passwd ${what}`, {skip}, async (t) => {
      const guest = await play()
      await spoil(t, guest, 'etc/passwd', plant)
      const ran = await guest.onHost('timeout 20 "$ENVS" run play echo works')
      assert.deepEqual([ran.status, ran.stdout], [0, 'works\n'], ran.stderr)
    })
  }

  test(`${identity}: a session as a root that has no number is refused`, {skip}, async (t) => {
    const guest = await play()
    await spoil(t, guest, 'etc/passwd', 'echo "root:x:zero:0::/root:/bin/sh" >/etc/passwd')
    const ran = await guest.onHost('timeout 20 "$ENVS" run play echo works')
    assert.deepEqual([ran.status, ran.stdout], [125, ''])
    assert.match(ran.stderr, /^envs: Could not open a session in "play": /)
  })

  test(`${identity}: a session as a number ends in time when /etc/group is a FIFO`, {skip}, async (t) => {
    const guest = await play()
    await spoil(t, guest, 'etc/group', 'rm /etc/group; mkfifo /etc/group')
    const ran = await guest.onHost('timeout 20 "$ENVS" run -u 1234:1234 play id -u')
    assert.equal(ran.stdout, '1234\n', ran.stderr)
  })
}
