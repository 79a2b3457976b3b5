import assert from 'node:assert/strict'
import {test} from 'node:test'
import {compareGroups, compareUsers, parseGroups, parseUsers} from '../../../../src/rootfs/diff/accounts.js'

const ROOT = 'root:x:0:0:root:/root:/bin/bash\n'
const DEV = 'dev:x:1000:1000:Dev,,,:/home/dev:/bin/sh\n'

function users(before: [passwd: string, shadow?: string], after: [passwd: string, shadow?: string]) {
  const parse = ([passwd, shadow = '']: [string, string?]) => parseUsers(passwd, shadow)
  return compareUsers(parse(before), parse(after))
}

test('a user that came is told of with what it is', () => {
  assert.deepEqual(users([ROOT], [ROOT + DEV]), [
    {name: 'dev', uid: 1000, gid: 1000, home: '/home/dev', shell: '/bin/sh', change: 'added', changed: []},
  ])
})

test('a user that went is told of as it was', () => {
  const [gone] = users([ROOT + DEV], [ROOT])
  assert.deepEqual([gone?.name, gone?.change, gone?.uid], ['dev', 'removed', 1000])
})

test('what changed of a user is named', () => {
  const [dev] = users(
    [DEV, 'dev:!:1::::::'],
    [
      DEV.replace('1000:1000:Dev', '1001:1002:D').replace('/home/dev:/bin/sh', '/srv:/bin/zsh'),
      'dev:$y$h:1::::::',
    ],
  )
  assert.deepEqual(dev?.changed, ['uid', 'gid', 'comment', 'home', 'shell', 'password'])
})

test('a password is never told', () => {
  const told = JSON.stringify(users([DEV, 'dev:before:1::::::'], [DEV, 'dev:after:1::::::']))
  assert.doesNotMatch(told, /before|after/)
})

test('users whose passwords move into a shadow file are as they were', () => {
  assert.deepEqual(users([ROOT + DEV], [ROOT + DEV, 'root:*:1::::::\ndev:!:1::::::\n']), [])
})

for (const [what, line] of [
  ['too few fields', 'x:x:1'],
  ['a number that is none', 'x:x:one:1:::'],
  ['a number over all bounds', 'x:x:99999999999:1:::'],
  ['no name', ':x:1:1:::'],
] as const) {
  test(`a line of users with ${what} is read over`, () => {
    assert.equal(parseUsers(`${line}\n`, '').size, 0)
  })
}

test('of two lines of a name the first counts', () => {
  assert.equal(parseUsers(`${DEV}dev:x:0:0:::\n`, '').get('dev')?.uid, 1000)
})

test('a group is told of with its members, whose order means nothing', () => {
  const before = parseGroups('a:x:1:x,y\nb:x:2:\n')
  const after = parseGroups('a:x:1:y,x\nb:x:2:dev\nc:x:3:\n')
  assert.deepEqual(compareGroups(before, after), [
    {name: 'b', gid: 2, members: ['dev'], change: 'changed', changed: ['members']},
    {name: 'c', gid: 3, members: [], change: 'added', changed: []},
  ])
})
