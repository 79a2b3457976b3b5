import assert from 'node:assert/strict'
import {test} from 'node:test'
import {type Difference, renderDifference} from '../../../../src/cli/views/diff.js'

const NOTHING: Difference = {
  name: 'play',
  against: {kind: 'image', name: 'focal'},
  packages: null,
  conffiles: [],
  files: [],
  users: [],
  groups: [],
  services: [],
  privileged: [],
  leftOut: [],
  sizeBytes: 0,
  unreadable: 0,
  dropped: 0,
}

const rendered = (difference: Partial<Difference>, {listsAll = false} = {}) =>
  renderDifference({...NOTHING, ...difference}, {listsAll})

test('no difference is one line', () => {
  assert.deepEqual(rendered({}), ['play compared with its image: no difference.'])
})

for (const [kind, expected] of [
  ['snapshot', 'play compared with its snapshot x: no difference.'],
  ['environment', 'play compared with x: no difference.'],
] as const) {
  test(`what it is compared with is named, of the kind ${kind}`, () => {
    assert.deepEqual(rendered({against: {kind, name: 'x'}}), [expected])
  })
}

test('packages are told of with what happened to them, and the architecture where there are two', () => {
  const named = (name: string, architecture = 'amd64') => ({name, architecture})
  const packages = {
    added: [
      {...named('a'), version: '1', state: 'installed'},
      {...named('a', 'i386'), version: '1', state: 'half-configured'},
    ],
    removed: [],
    upgraded: [{...named('b'), from: '1', to: '2'}],
    downgraded: [{...named('c'), from: '2', to: '1'}],
  }
  assert.deepEqual(rendered({packages, sizeBytes: 1500}), [
    'play compared with its image: 1.5 kB more.',
    'Packages:',
    '  added       a:amd64 1',
    '  added       a:i386 1 (half-configured)',
    '  upgraded    b 1 -> 2',
    '  downgraded  c 2 -> 1',
  ])
})

test('a group is told of with its members', () => {
  const group = {
    name: 'games',
    gid: 60,
    members: ['dev', 'eve'],
    change: 'changed',
    changed: ['members'],
  } as const
  assert.deepEqual(rendered({groups: [group]}).slice(1), [
    'Users and groups:',
    '  changed  group games (60); members dev, eve',
  ])
})

const files = Array.from({length: 60}, (_, index) => ({
  path: `/opt/${index}/x`,
  change: 'added' as const,
  kind: 'file',
  changed: [],
  package: null,
  group: 'other',
}))

test('a long list ends with how many more there are', () => {
  const lines = rendered({files})
  assert.equal(lines.length, 43)
  assert.equal(lines.at(-1), '  and 20 more: --files or --json lists all')
})

test('with --files all of them are there, and nothing is said to be left out', () => {
  const leftOut = [{group: 'logs', files: 1, sizeBytes: 1}] as const
  assert.equal(rendered({files, leftOut}, {listsAll: true}).length, 62)
})

test('what could not be told is said', () => {
  assert.deepEqual(rendered({unreadable: 2, dropped: 3}).slice(1), [
    'Files and folders that could not be read: 2.',
    'More files that differ, too many to list: 3.',
  ])
})

test('a name can not steer the terminal', () => {
  const file = {...files[0], path: '/\x1b[2J\n', kind: 'file', change: 'added', changed: ['mode']} as const
  const [line = ''] = rendered({conffiles: [{...file, package: 'p', group: 'conffile'}]}).slice(2)
  assert.equal(line, '  added  /\\e[2J\\n (mode; of p)')
})
