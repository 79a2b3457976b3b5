import assert from 'node:assert/strict'
import {test} from 'node:test'
import {capture} from '../../../src/host/process.js'
import {type Guest, quoted} from '../../support/guest.js'
import {hostTerminal} from '../../support/host-terminal.js'
import {namespaceCases} from '../../support/namespace-cases.js'

/** A script with a job of its own, in one process group with all that it calls, as those without job control are. */
async function callWith({cli}: Guest, command: string): Promise<string> {
  const script = `sleep 300 & job=$!
    ${quoted(cli.words)} run play -- sh -c '${command}' >/dev/null 2>&1; status=$?
    kill -0 $job && echo "the job lives, status $status"; kill $job`
  // Whatever it ends, it is not the test.
  const behind = ['setsid', '--wait', 'bash', '-c', script]
  const {stdout} = await capture(behind, {cwd: cli.home, env: {...cli.env}, timeout: 30_000})
  return stdout
}

for (const {title, skip, play} of namespaceCases()) {
  for (const [what, command, status] of [
    ['kill -9 0', 'kill -9 0; exec sleep 60', /137/],
    ['kill -TERM 0', 'kill -TERM 0; exec sleep 60', /143/],
    // The environment may end with its first programs, and with it the command.
    ['kill -9 -1', 'kill -9 -1; exit 5', /5|137/],
  ] as const) {
    test(`${title}: ${what} in the guest ends neither the calling script nor its jobs`, {skip}, async () => {
      const guest = await play()
      assert.match(
        await callWith(guest, command),
        new RegExp(`^the job lives, status (?:${status.source})\n$`),
      )
    })
  }

  test(`${title}: a session's group and session are its own, not the caller's`, {skip}, async () => {
    const guest = await play()
    // Group, session, controlling terminal and its foreground group: 0 is what /proc shows of those elsewhere.
    const {stdout} = await guest.run(
      'sh',
      '-c',
      'set -- $(cat /proc/$$/stat); echo $(($5 == $1)) $(($6 == 0)) $7',
    )
    assert.match(stdout, /^1 [01] 0\n$/)
  })

  test(`${title}: kill -9 0 on a terminal leaves the calling shell and its job`, {skip}, async (t) => {
    const guest = await play()
    const pane = await (await hostTerminal(t, guest.cli)).open()
    await pane.enter('sleep 300 &')
    await pane.shows(/^\[1\] \d+$/m)
    await pane.enter(`sh -c 'envs run play -- sh -c "kill -9 0"; echo status $?'; jobs`)
    const text = await pane.shows(/^\[1\]\+ +Running/m)
    assert.match(text, /^status 137$/m)
    await pane.close()
  })
}
