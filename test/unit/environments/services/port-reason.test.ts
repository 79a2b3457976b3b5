import assert from 'node:assert/strict'
import {test} from 'node:test'
import {portsInLog} from '../../../../src/environments/services/port-reason.js'

// The lines of nginx, Apache, sshd, Redis, PostgreSQL, dovecot and Node.
for (const [line, ports] of [
  ['2026/11/29 14:27:05 [emerg] 12#12: bind() to 0.0.0.0:80 failed (13: Permission denied)', [80]],
  ['2026/11/29 14:27:05 [emerg] 12#12: bind() to [::]:80 failed (98: Address already in use)', [80]],
  ['(13)Permission denied: AH00072: make_sock: could not bind to address 0.0.0.0:8081', [8081]],
  ['error: Bind to port 22 on 0.0.0.0 failed: Permission denied.', [22]],
  [
    '# Warning: Could not create server TCP listening socket 127.0.0.1:6379: bind: Address already in use',
    [6379],
  ],
  [
    'LOG:  could not bind IPv4 address "127.0.0.1": Address already in use\nHINT:  Is another postmaster already running on port 5432?',
    [5432],
  ],
  ['Error: service(imap-login): listen(*, 143) failed: Permission denied', [143]],
  ['Error: listen EADDRINUSE: address already in use :::3000', [3000]],
  ['2026/11/29 14:27:05 [notice] listening on 0.0.0.0:80', []],
  ['open() "/var/log/x.log" failed (13: Permission denied) at 14:27:05', []],
  ['bind to 1.2.3.4:99999: Permission denied', []],
] as const) {
  test(`ports that are refused in: ${line.slice(0, 60)}`, () => {
    assert.deepEqual(portsInLog(line), ports)
  })
}

test('a log full of ports gives twenty at most', () => {
  const text = Array.from({length: 1000}, (_, index) => `1.1.1.1:${1000 + index} address in use`).join('\n')
  assert.equal(portsInLog(text).length, 20)
})

test('the port of the last line comes first: the service may have had another one before', () => {
  const refused = [
    'port 22 on 0.0.0.0 failed: Permission denied',
    'port 2222 on :: failed: Address already in use',
  ]
  assert.deepEqual(portsInLog(refused.join('\n')), [2222, 22])
})
