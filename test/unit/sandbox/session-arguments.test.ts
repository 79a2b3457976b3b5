import assert from 'node:assert/strict'
import {test} from 'node:test'
import {type SessionRequest, sessionCommand} from '../../../src/sandbox/session-arguments.js'

const PLACE = {
  launcher: ['/usr/bin/perl', '/x/session.pl'],
  anchor: {pid: 42, startTime: '1'},
  identity: 'mapped',
  architecture: 'amd64',
  isMountingRoot: false,
  parentPid: 7,
} as const

const REQUEST: SessionRequest = {
  command: ['echo', '--', ''],
  user: 'root',
  workingFolder: undefined,
  variables: [],
  volumes: [],
  hasTerminal: false,
  forwardsInterrupts: false,
}

const START = ['/usr/bin/perl', '/x/session.pl', '42', '7', '157,308,272', '-u', 'root', '-i', 'mapped']

test('a plain command follows the first separator as it is', () => {
  assert.deepEqual(sessionCommand(PLACE, REQUEST), [...START, '--', 'echo', '--', ''])
})

test('a login shell is no command at all', () => {
  assert.deepEqual(sessionCommand(PLACE, {...REQUEST, command: []}), [...START, '--'])
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
    hasTerminal: true,
    forwardsInterrupts: true,
  }
  assert.deepEqual(sessionCommand(PLACE, request).slice(START.length, -4), [
    ...['-w', '/srv', '-e', 'A=b=c\nd', '-e', 'B=', '-v', '/a b', '/c', 'ro', '-t', '-f'],
  ])
})

test('root with a say over mounts says so', () => {
  const command = sessionCommand({...PLACE, isMountingRoot: true}, REQUEST)
  assert.deepEqual(command.slice(START.length, START.length + 2), ['-r', '--'])
})

test('system call numbers are those of the processor', () => {
  const numbers = (architecture: 'arm64' | 'riscv64' | 's390x' | 'armhf') =>
    sessionCommand({...PLACE, architecture}, REQUEST)[4]
  assert.deepEqual((['arm64', 'riscv64', 's390x', 'armhf'] as const).map(numbers), [
    '167,268,97',
    '167,268,97',
    '172,339,303',
    '172,375,337',
  ])
})
