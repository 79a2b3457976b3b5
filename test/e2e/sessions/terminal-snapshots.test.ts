import assert from 'node:assert/strict'
import {test} from 'node:test'
import {IDENTITIES, ownGuest, sharedGuest} from '../../support/guest.js'
import {hostTerminal} from '../../support/host-terminal.js'
import {startPackageArchive, useArchive} from '../../support/package-archive.js'

const PROMPT = /\(play\)root@play:~#$/m
/** Long enough for a copy of what the environment has changed. */
const COPY_MS = 30_000

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)

  for (const [what, line] of [
    ['a snapshot', 'envs snapshot play'],
    ['a clone', 'envs clone play copied; envs rm --force copied'],
  ] as const) {
    test(`${identity}: a terminal answers at once after ${what} of its environment`, {skip}, async (t) => {
      const terminal = await hostTerminal(t, (await play()).cli)
      const [pane, other] = [await terminal.open(), await terminal.open()]
      await pane.enter('envs enter play')
      await pane.shows(PROMPT)
      await other.enter(`${line}; echo sta""tus $?`)
      await other.shows(/^status 0$/m, COPY_MS)
      await pane.enter('echo ali""ve')
      await pane.shows(/^alive$/m)

      // A program that reads, and one that stands still already.
      await pane.enter('sleep 300')
      await pane.shows(/^sleep 300$/m)
      await pane.type('\x1a')
      await pane.shows(/^\[1\]\+ +Stopped/m)
      // What is typed before it reads is the shell's.
      await pane.enter(`sh -c 'echo rea""dy; exec cat'`)
      await pane.shows(/^ready$/m)
      await pane.type('before\r')
      await pane.shows(/^before\nbefore$/m)
      await other.enter(`${line}; echo sta""tus $?`)
      await other.shows(/^status 0$/m, COPY_MS)
      await pane.type('after\r')
      await pane.shows(/^after\nafter$/m)
      await pane.type('\x03')
      // A line that is typed before would be discarded by it, or be read by cat.
      await pane.shows(/^\^C\n+\(play\)root@play:~#$/m)
      await pane.enter('jobs')
      await pane.shows(/^\[1\]\+ +Stopped +sleep 300$/m)
      await pane.enter('fg')
      await pane.shows(/^fg\nsleep 300$/m)
      await pane.type('\x03')
      await pane.shows(PROMPT)
      await pane.enter('exit 7')
      await pane.shows(/^host\$$/m)
      assert.equal(await pane.ask('echo $?'), '7\n')
    })
  }

  test(`${identity}: packages are installed one after the other in one session on a terminal`, {
    skip,
  }, async (t) => {
    const guest = await ownGuest(t, identity)
    const archive = await startPackageArchive(t, ['one', 'two'])
    assert.equal((await guest.sh(useArchive(archive))).status, 0)
    const pane = await (await hostTerminal(t, guest.cli)).open()
    await pane.enter('envs enter play')
    await pane.shows(PROMPT)
    for (const name of ['one', 'two']) {
      await pane.enter(`apt-get install -y ${name}; ${name}; echo sta""tus $?`)
      await pane.shows(new RegExp(`^${name}\\nstatus 0$`, 'm'), COPY_MS)
    }
    await pane.enter('exit')
    await pane.shows(/^host\$$/m)
    const {stdout} = await guest.cli.run('snapshots', 'play', '--json')
    const labels = (JSON.parse(stdout) as {label: string}[]).map(({label}) => label)
    assert.ok(
      labels.some((label) => label.startsWith('apt-')),
      labels.join(' '),
    )
  })
}
