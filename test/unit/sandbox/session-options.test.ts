import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {test} from 'node:test'
import {SESSION_OPTIONS, sessionFields} from '../../../src/sandbox/session-options.js'

const REQUEST = {
  command: [],
  user: 'games',
  network: 'none',
  workingFolder: '/srv',
  variables: [{name: 'A', value: 'b'}],
  volumes: [{source: '/a', target: '/b', access: 'ro'}],
  forwardsInterrupts: false,
} as const

function perl(name: string): string {
  return readFileSync(new URL(`../../../templates/host/${name}`, import.meta.url), 'utf8')
}

/** How many words session.pl takes after each letter. */
function takenBySession(): Map<string | undefined, number> {
  const branches = perl('session.pl').matchAll(
    /\$flag eq '-(\w)'\) \{ (?:.*splice @rest, 0, (\d)|.*shift @rest)/g,
  )
  return new Map([...branches].map(([, letter, count]) => [letter, Number(count ?? 1)]))
}

test('session.pl takes each option with as many words as are written, and those of the place', () => {
  const written = SESSION_OPTIONS.flatMap(({letter, words}) =>
    words === undefined ? [] : [[letter, words(REQUEST)[0]?.length] as const],
  )
  assert.deepEqual(takenBySession(), new Map([...written, ['d', 1], ['i', 1], ['g', 1], ['z', 1]]))
})

test('join/plan.pl writes the options that it reads itself by the letters of the table', () => {
  const text = perl('join/plan.pl')
  const read = [...text.matchAll(/eq '--(\w+)'/g)].map(([, name]) => name)
  const letters = [...text.matchAll(/push @shares, '-(\w)'/g)].map(([, letter]) => letter)
  assert.deepEqual(read.slice(0, 2), ['volume', 'workdir'])
  assert.deepEqual(
    letters,
    read.slice(0, 2).map((name) => SESSION_OPTIONS.find((option) => option.name === name)?.letter),
  )
})

test('what was typed is kept by field', () => {
  assert.deepEqual(sessionFields({user: 'me', env: ['A', 'B=c'], workdir: undefined}), {
    ...{user: 'me', workingFolder: undefined, variables: ['A', 'B=c'], volumes: []},
  })
})
