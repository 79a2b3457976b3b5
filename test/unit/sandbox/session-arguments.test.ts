import assert from 'node:assert/strict'
import {test} from 'node:test'
import {type SessionRequest, sessionCommand} from '../../../src/sandbox/session-options.js'

const PLACE = {
  launcher: ['/usr/bin/perl', '/x/session.pl'],
  anchor: {pid: 42, startTime: '1'},
  identity: 'mapped',
  architecture: 'amd64',
  parentPid: 7,
} as const

const REQUEST: SessionRequest = {
  command: ['echo', '--', ''],
  user: 'root',
  workingFolder: undefined,
  variables: [],
  volumes: [],
  forwardsInterrupts: false,
}

const START = [
  '/usr/bin/perl',
  '/x/session.pl',
  '42',
  '7',
  '157,308,272,112,165,61,46,47,generic',
  '-i',
  'mapped',
]

test('a plain command follows the first separator as it is', () => {
  assert.deepEqual(sessionCommand(PLACE, REQUEST), [...START, '-u', 'root', '--', 'echo', '--', ''])
})

test('a login shell is no command at all', () => {
  assert.deepEqual(sessionCommand(PLACE, {...REQUEST, command: []}), [...START, '-u', 'root', '--'])
})

test('each wish becomes an option, in a fixed order', () => {
  const request: SessionRequest = {
    ...REQUEST,
    workingFolder: '/srv',
    variables: [
      {name: 'A', value: 'b=c\nd'},
      {name: 'B', value: ''},
    ],
    volumes: [{source: '/a b', target: '/c', access: 'ro'}],
  }
  assert.deepEqual(sessionCommand(PLACE, request).slice(START.length, -4), [
    ...['-e', 'A=b=c\nd', '-e', 'B=', '-u', 'root', '-v', '/a b', '/c', 'ro', '-w', '/srv'],
  ])
})

test('numbers are those of the processor', () => {
  const numbers = (architecture: 'arm64' | 'riscv64' | 's390x' | 'armhf' | 'ppc64el') =>
    sessionCommand({...PLACE, architecture}, REQUEST)[4]
  assert.deepEqual((['arm64', 'riscv64', 's390x', 'armhf', 'ppc64el'] as const).map(numbers), [
    '167,268,97,157,40,260,211,212,generic',
    '167,268,97,157,40,260,211,212,generic',
    '172,339,303,66,21,114,370,372,generic',
    '172,375,337,66,21,114,296,297,generic',
    '171,350,282,66,21,114,341,342,power',
  ])
})
