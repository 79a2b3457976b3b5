import assert from 'node:assert/strict'
import {test} from 'node:test'
import {parseConfigChanges} from '../../../../src/environments/publish/config-changes.js'

const IMAGE = {Env: ['A=1', 'B=2'], Cmd: ['serve'], Entrypoint: ['/entry'], User: 'www', Labels: {a: 'b'}}

test('no flags change nothing', () => {
  assert.deepEqual(parseConfigChanges({})(IMAGE), IMAGE)
})

test('a variable replaces that of the same name in its place', () => {
  const {Env} = parseConfigChanges({env: ['B=x=y', 'C=']})(IMAGE)
  assert.deepEqual(Env, ['A=1', 'B=x=y', 'C='])
})

test('another entrypoint drops the command of the image, but not the one that is given', () => {
  const without = parseConfigChanges({entrypoint: '["/other"]'})(IMAGE)
  assert.deepEqual([without.Entrypoint, without.Cmd], [['/other'], undefined])
  const both = parseConfigChanges({entrypoint: '["/other"]', cmd: 'a  b'})(IMAGE)
  assert.deepEqual([both.Entrypoint, both.Cmd], [['/other'], ['/bin/sh', '-c', 'a  b']])
})

test('an empty text removes a value', () => {
  const changed = parseConfigChanges({cmd: '', entrypoint: '[]', user: '', workdir: ''})(IMAGE)
  assert.deepEqual(
    [changed.Cmd, changed.Entrypoint, changed.User, changed.WorkingDir],
    [undefined, undefined, undefined, undefined],
  )
})

test('ports get a protocol, and join those of the image', () => {
  const {ExposedPorts} = parseConfigChanges({expose: ['80', '53/udp', '8000-8010']})({
    ExposedPorts: {'1/tcp': {}},
  })
  assert.deepEqual(Object.keys(ExposedPorts ?? {}), ['1/tcp', '80/tcp', '53/udp', '8000-8010/tcp'])
})

for (const port of ['', '0', '65536', '10-9', '80/http', 'a'])
  test(`"${port}" is no port`, () => {
    assert.throws(() => parseConfigChanges({expose: [port]}), {name: 'UsageError'})
  })
