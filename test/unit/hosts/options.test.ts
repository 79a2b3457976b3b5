import assert from 'node:assert/strict'
import {test} from 'node:test'
import {parseOptions} from '../../../hosts/options.js'
import {isNewEnough} from '../../../hosts/programs.js'

test('without arguments all hosts are tried, with emulated processors', () => {
  const {releases, scenes, action, updatesTable, writesDocument, acceleration} = parseOptions([])
  assert.deepEqual(
    releases.map(({name}) => name),
    ['noble', 'resolute', 'jammy', 'focal', 'trixie', 'bookworm'],
  )
  assert.equal(scenes, undefined)
  assert.deepEqual(action, {kind: 'trials'})
  assert.deepEqual([updatesTable, writesDocument, acceleration], [false, false, 'tcg,thread=multi'])
})

test('a host, a scene and a script are taken by name', () => {
  const {releases, scenes} = parseOptions(['jammy', '--scene', 'shipped,namespaces-off'])
  assert.deepEqual([releases.map(({name}) => name), scenes], [['jammy'], ['shipped', 'namespaces-off']])
  assert.deepEqual(parseOptions(['jammy', '--script', 'a.sh']).action, {kind: 'script', file: 'a.sh'})
  assert.deepEqual(parseOptions(['jammy', '--shell']).action, {kind: 'shell'})
})

test('what is unknown, or does not go together, is refused with its words', () => {
  const cases: [string[], RegExp][] = [
    [['warty'], /^There is no host warty\.$/],
    [['--scene', 'shiped'], /^--scene shiped: there is no such scene\.$/],
    [['--patience', '0'], /^--patience 0: it must be a whole number from 1 to 99\.$/],
    [['--shell'], /^--shell needs one host\.$/],
    [['noble', '--shell', '--script', 'a'], /^Either --shell or --script, not both\.$/],
    [['noble', '--shell', '--write'], /^--shell makes no trials: it goes without/],
  ]
  for (const [argv, message] of cases)
    assert.throws(
      () => parseOptions(argv),
      (error: Error) => message.test(error.message),
      argv.join(' '),
    )
})

test('an mke2fs that reads a tar is 1.47.1 or later', () => {
  const version = (text: string) => isNewEnough(`mke2fs ${text} (1-Jan-2025)\n\tUsing EXT2FS Library\n`)
  assert.deepEqual(['1.47.2', '1.47.1', '1.48.0', '2.0'].map(version), [true, true, true, true])
  assert.deepEqual(['1.47.0', '1.46.5', '1.47', '0.99.9'].map(version), [false, false, false, false])
  assert.equal(isNewEnough('mke2fs: unknown'), false)
})
