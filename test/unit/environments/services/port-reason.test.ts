import assert from 'node:assert/strict'
import {test} from 'node:test'
import {portsInLog} from '../../../../src/environments/services/port-reason.js'

for (const [what, text, ports] of [
  [
    'sshd, whose port was changed',
    'Bind to port 22 on 0.0.0.0 failed: Permission denied.\nBind to port 2222 on :: failed: Address already in use.',
    [2222, 22],
  ],
  [
    'nginx',
    'bind() to 0.0.0.0:80 failed (13: Permission denied)\nbind() to [::]:80 failed (13: Permission denied)',
    [80],
  ],
  ['redis', 'Could not create server TCP listening socket *:6379: bind: Address already in use', [6379]],
  ['a service without a problem', 'listening on 0.0.0.0:80', []],
] as const)
  test(`ports that ${what} could not have are found, the last one first`, () => {
    assert.deepEqual(portsInLog(text), ports)
  })
