import assert from 'node:assert/strict'
import {test} from 'node:test'
import {fileScope} from '../../support/file-scope.js'
import {IDENTITIES, sharedGuest} from '../../support/guest.js'
import {type HostTerminal, hostTerminal} from '../../support/host-terminal.js'
import {guestProgramsBelow, hostProgramsBelow, isAlive, isCooked} from '../../support/process-tree.js'
import {waitUntil} from '../../support/wait-until.js'

/** More than a session has programs on the host. */
const MOST_PROGRAMS = 8

/** A shell that restores no modes by itself, and says when its command is over. */
const LINE = `sh -c 'envs run play -- sh -c "stty raw -echo; echo rea\\"\\"dy; exec sleep 300"; echo over; read -r line; echo "read <$line>"'`

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)
  const scope = fileScope()
  let terminal: Promise<HostTerminal> | undefined

  test(`${identity}: a kill of any program of a session leaves no raw terminal, no command and no wait`, {
    skip,
  }, async () => {
    terminal ??= play().then(({cli}) => hostTerminal(scope, cli))
    let count = 1
    for (let index = 0; index < count; index++) {
      const pane = await (await terminal).open()
      await pane.enter(LINE)
      await pane.shows(/^ready/m)
      const [shell, ...programs] = hostProgramsBelow(pane.pid)
      assert.ok(shell !== undefined && programs.length > 0)
      // As many are killed as there are, each in a session of its own.
      count = programs.length
      assert.ok(count <= MOST_PROGRAMS, `${count} programs`)
      const all = [...programs, ...guestProgramsBelow(pane.pid)]
      const victim = programs[index]
      assert.ok(victim !== undefined)
      process.kill(victim, 'SIGKILL')
      await pane.shows(/\bover$/m)
      await waitUntil(`a usable terminal after the end of program ${index}`, () => isCooked(pane.device))
      await waitUntil(`the end of all after that of program ${index}`, () => !all.some(isAlive))
      await pane.type('typed\r')
      await pane.shows(/^read <typed>$/m)
      await pane.close()
    }
    assert.equal((await (await play()).sh('echo works')).stdout, 'works\n')
  })

  test(`${identity}: a kill of the environment gives the terminal back`, {skip}, async () => {
    const guest = await play()
    terminal ??= hostTerminal(scope, guest.cli)
    const pane = await (await terminal).open()
    await pane.enter(LINE)
    await pane.shows(/^ready/m)
    assert.equal((await guest.cli.run('stop', '--force', 'play')).status, 0)
    await pane.shows(/\bover$/m)
    await waitUntil('a usable terminal', () => isCooked(pane.device))
    await pane.close()
  })
}
