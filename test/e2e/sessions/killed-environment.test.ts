import assert from 'node:assert/strict'
import {stat, utimes} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {readLiveAnchor} from '../../../src/sandbox/anchor-state.js'
import {byFrontDoor} from '../../support/front-door.js'
import {IDENTITIES, putProgram, sharedGuest} from '../../support/guest.js'

/** From before a session has joined to after its command has ended, in steps of a millisecond. */
const LONGEST_MS = 40

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity, {isPlain: true})

  test(`${identity}: an environment that is killed while a session begins: its command runs, once, or the status is its own`, {
    skip,
  }, async () => {
    const guest = byFrontDoor(await play())
    await putProgram(guest, '/usr/local/bin/marks', '#!/bin/sh\necho ran\nexit 5\n')
    const program = join(guest.root, 'usr/local/bin/marks')
    // Read at all since then? A file whose last reading is not later than its last writing gets a new time. See mount(8), relatime.
    const forget = () => utimes(program, 1, 2)
    const isExecuted = async () => (await stat(program)).atimeMs > 2000
    await forget()
    assert.equal((await guest.run('marks')).status, 5)
    assert.ok(await isExecuted(), 'the file system keeps no time of reading')

    let unlucky = 0
    for (let delay = 0; delay < LONGEST_MS; delay++) {
      assert.equal((await guest.run('true')).status, 0)
      const anchor = readLiveAnchor(guest.state)
      assert.ok(anchor)
      await forget()
      const session = guest.run('marks')
      await sleep(delay)
      try {
        process.kill(anchor.pid, 'SIGKILL')
      } catch {
        // It had ended by itself.
      }
      const {status, stdout, stderr} = await session
      const told = `after ${delay} ms: ${status} ${JSON.stringify([stdout, stderr])}`
      if (status === 5) assert.equal(stdout, 'ran\n', told)
      else {
        assert.equal(status, 137, told)
        assert.ok(stdout === 'ran\n' || stdout === '', told)
        // Killed between the word that it is about to be executed and that: nobody outside can tell the two apart.
        if (stdout === '' && !(await isExecuted())) unlucky++
      }
    }
    assert.ok(unlucky <= LONGEST_MS / 20, `${unlucky} of ${LONGEST_MS} ended by the kill and had not run`)
  })
}
