import assert from 'node:assert/strict'
import {test} from 'node:test'
import {parseChallenges} from '../../../src/registry/access/challenge.js'

for (const [title, header, expected] of [
  ['no header', undefined, []],
  ['one', 'Basic realm="a"', [{scheme: 'basic', parameters: {realm: 'a'}}]],
  [
    'commas within quotes',
    'Bearer realm="https://a.example/t",service="s",scope="repository:x:pull,push"',
    [
      {
        scheme: 'bearer',
        parameters: {realm: 'https://a.example/t', service: 's', scope: 'repository:x:pull,push'},
      },
    ],
  ],
  [
    'several in one header',
    'Negotiate, Basic realm="a", BEARER Realm=plain , error="x\\"y"',
    [
      {scheme: 'negotiate', parameters: {}},
      {scheme: 'basic', parameters: {realm: 'a'}},
      {scheme: 'bearer', parameters: {realm: 'plain', error: 'x"y'}},
    ],
  ],
  ['a parameter before any scheme', 'realm="a"', []],
  ['an open quote', 'Basic realm="a', [{scheme: 'basic', parameters: {}}]],
] as const) {
  test(`challenges: ${title}`, () => {
    assert.deepEqual(parseChallenges(header), expected)
  })
}

test('a header that is long and malformed takes no time', () => {
  const started = process.cpuUsage().user
  parseChallenges(`Basic ${'a="'.repeat(3000)}`)
  parseChallenges(', '.repeat(8000))
  assert.ok(process.cpuUsage().user - started < 1_000_000)
})
