import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {IDENTITIES, sharedGuest, withVariables} from '../../support/guest.js'
import {heldProgram} from '../../support/held-program.js'
import {stopped} from '../../support/running-session.js'
import {waitUntil} from '../../support/wait-until.js'

/** Longer than a session waited for another's start before it took what it found; bwrap changes its root twice. */
const HELD_MS = 2500
/** Of the script that runs once all is in place: no trial of an engine has it. */
const WORD_OF_HOLDER = 'leaving'

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)

  for (const [engine, program] of [
    ['bwrap', 'bwrap'],
    // What makes its namespaces must not be traced: newuidmap is setuid.
    ['unshare', 'perl'],
  ] as const) {
    test(`${engine}, ${identity}: sessions that meet a start which has not changed its root run in the guest alone`, {
      skip,
    }, async () => {
      const plain = await play()
      const {home} = plain.cli
      const folder = await heldProgram(home, program, {
        word: WORD_OF_HOLDER,
        call: 'pivot_root',
        milliseconds: HELD_MS,
      })
      const guest = withVariables(plain, {ENVS_ENGINE: engine, PATH: `${folder}:${process.env['PATH']}`})
      await plain.sh('echo guest >/root/where')
      await stopped(play)
      // A file of the host whose path there is in no guest.
      const secret = join(home, 'of-the-host')
      await writeFile(secret, 'of the host\n')
      await rm(join(home, 'held'), {force: true})
      const script = `cat /root/where; if [ -e ${secret} ]; then echo on the host; fi; readlink /proc/self/ns/mnt`
      const first = guest.sh(script)
      await waitUntil('the start', () => existsSync(join(home, 'held')))
      const [second, third] = [guest.sh(script), guest.sh(script)]
      const ran = await Promise.all([first, second, third])
      for (const {status, stdout, stderr} of ran) {
        assert.deepEqual([status, stderr], [0, ''])
        assert.match(stdout, /^guest\nmnt:\[\d+\]\n$/)
      }
      assert.equal(new Set(ran.map(({stdout}) => stdout)).size, 1)
      await stopped(play)
    })
  }
}
