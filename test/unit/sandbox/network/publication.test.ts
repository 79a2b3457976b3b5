import assert from 'node:assert/strict'
import {test} from 'node:test'
import {UsageError} from '../../../../src/errors.js'
import {parseAllowedNetwork} from '../../../../src/sandbox/network/allowed.js'
import {parseHelperReport} from '../../../../src/sandbox/network/helper.js'
import {resolverHead} from '../../../../src/sandbox/network/outlet.js'
import {formatPublication, parsePublication} from '../../../../src/sandbox/network/publication.js'

test('a publication has an address, a port of the host and one of the guest', () => {
  const cases = [
    ['8080:80', '127.0.0.1:8080:80'],
    ['8080:80/tcp', '127.0.0.1:8080:80'],
    ['0.0.0.0:8080:80', '0.0.0.0:8080:80'],
    ['[::1]:8080:80', '[::1]:8080:80'],
    ['[0:0::0001]:65535:1', '[::1]:65535:1'],
    ['[::ffff:192.0.2.1]:1:1', '[::ffff:c000:201]:1:1'],
  ] as const
  for (const [text, canonical] of cases) assert.equal(formatPublication(parsePublication(text)), canonical)
})

test('words that are no publication are refused', () => {
  const refused = [
    '',
    '80',
    '8080:',
    ':80',
    '0:80',
    '8080:0',
    '65536:80',
    'localhost:8080:80',
    '8080:80/udp',
    '::1:8080:80',
    '[::1:8080:80',
    '1.2.3:80:80',
    '8080:80:',
    '-1:80',
    '[fe80::1%25eth0]:1:1:1',
  ]
  for (const text of refused) assert.throws(() => parsePublication(text), UsageError, text)
})

test('an allowed network is an address with a length', () => {
  const cases = [
    ['192.0.2.7', '192.0.2.7/32'],
    ['192.0.2.0/24', '192.0.2.0/24'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['2001:DB8::/32', '2001:db8::/32'],
    ['::1', '::1/128'],
  ] as const
  for (const [text, canonical] of cases) assert.equal(parseAllowedNetwork(text), canonical)
  for (const text of [
    '',
    'example.org',
    '192.0.2.0/33',
    '192.0.2.0/',
    '192.0.2.0/24/1',
    '2001:db8::/129',
    '192.0.2/24',
  ])
    assert.throws(() => parseAllowedNetwork(text), UsageError, text)
})

test('a helper that is not ready has failed', () => {
  assert.equal(parseHelperReport('ready\n'), undefined)
  assert.deepEqual(parseHelperReport('failed bind 98\n'), {stage: 'bind', errno: 98, text: ''})
  assert.deepEqual(parseHelperReport('failed tool 0 No such device\n'), {
    stage: 'tool',
    errno: 0,
    text: 'No such device',
  })
  assert.deepEqual(parseHelperReport(''), {stage: 'unstarted', errno: 0, text: ''})
})

test('a guest asks the server of its own network for names', () => {
  assert.equal(resolverHead(undefined), undefined)
  assert.equal(resolverHead('none'), '')
  assert.equal(resolverHead('pasta'), 'nameserver 169.254.1.1\n')
})
