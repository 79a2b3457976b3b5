import assert from 'node:assert/strict'
import {test} from 'node:test'
import {IDENTITIES, sharedGuest} from '../../support/guest.js'

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)

  for (const status of [0, 1, 2, 42, 124, 125, 126, 127, 128, 200, 255]) {
    test(`${identity}: a command that exits with ${status} gives that status and not a word of ours`, {
      skip,
    }, async () => {
      const {sh} = await play()
      assert.deepEqual(await sh(`exit ${status}`), {status, signal: null, stdout: '', stderr: ''})
    })
  }

  for (const [signal, status] of [
    ['TERM', 143],
    ['KILL', 137],
    ['HUP', 129],
    ['INT', 130],
    ['QUIT', 131],
    ['SEGV', 139],
    ['USR1', 138],
  ] as const) {
    test(`${identity}: a command that signal ${signal} ends gives ${status}`, {skip}, async () => {
      const {sh} = await play()
      const ran = await sh(`ulimit -c 0; kill -${signal} $$; sleep 5`)
      assert.deepEqual(ran, {status, signal: null, stdout: '', stderr: ''})
    })
  }

  test(`${identity}: a command that is not there gives 127`, {skip}, async () => {
    const ran = await (await play()).run('no-such-command')
    const stderr = 'envs: The command "no-such-command" was not found in "play".\n'
    assert.deepEqual(ran, {status: 127, signal: null, stdout: '', stderr})
  })

  for (const [command, step] of [
    [
      ['systemctl', 'start', 'ssh'],
      'No init runs in an environment. To start a service by its script: envs run play service SERVICE start',
    ],
    [
      ['/usr/bin/snap', 'install', 'hello'],
      'Snapd needs systemd, and no init runs in an environment. Install a package by apt instead.',
    ],
  ] as const) {
    test(`${identity}: ${command[0]}, which is not there, is explained`, {skip}, async () => {
      const ran = await (await play()).run(...command)
      const stderr = `envs: The command "${command[0]}" was not found in "play".\n  ${step}\n`
      assert.deepEqual(ran, {status: 127, signal: null, stdout: '', stderr})
    })
  }

  for (const [what, command] of [
    ['a folder', '/etc'],
    ['a file without the right to run', '/etc/passwd'],
  ] as const) {
    test(`${identity}: ${what} as a command gives 126`, {skip}, async () => {
      const ran = await (await play()).run(command)
      const stderr = `envs: The command "${command}" cannot be executed in "play".\n`
      assert.deepEqual(ran, {status: 126, signal: null, stdout: '', stderr})
    })
  }
}
