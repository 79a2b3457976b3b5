import assert from 'node:assert/strict'
import {test} from 'node:test'
import {parseFailure, sessionError} from '../../../src/sandbox/session.js'
import type {SessionRequest} from '../../../src/sandbox/session-options.js'

for (const [text, expected] of [
  ['', undefined],
  ['failed exec 2\n', {stage: 'exec', errno: 2}],
  ['failed volume-read-only 38\n', {stage: 'volume-read-only', errno: 38}],
  ['failed exec\n', undefined],
  ['failed exec 2', {stage: 'exec', errno: 2}],
  ['failed EXEC 2\n', undefined],
  ['failed exec -1\n', undefined],
] as const) {
  test(`reads ${JSON.stringify(text)} from the status pipe`, () => {
    const found = parseFailure(text)
    assert.deepEqual(found && {...found}, expected)
  })
}

const REQUEST: SessionRequest = {
  command: ['nginx', '-t'],
  user: 'web:www',
  workingFolder: '/srv/x',
  variables: [],
  volumes: [{source: '/host/a', target: '/b', access: 'ro'}],
  forwardsInterrupts: false,
}

for (const [stage, errno, exitCode, code, message] of [
  ['exec', 2, 127, 'ENVS_COMMAND_NOT_FOUND', 'The command "nginx" was not found in "play".'],
  ['exec', 13, 126, 'ENVS_COMMAND_NOT_EXECUTABLE', 'The command "nginx" cannot be executed in "play".'],
  ['exec', 8, 126, 'ENVS_COMMAND_NOT_EXECUTABLE', 'The command "nginx" cannot be executed in "play".'],
  [
    ...['workdir', 2, 125, 'ENVS_SESSION_FAILED'],
    'Could not open a session in "play": could not enter the folder "/srv/x": no such file or directory.',
  ],
  ['user', 2, 125, 'ENVS_SESSION_FAILED', 'Could not open a session in "play": it has no user "web:www".'],
  ['group', 2, 125, 'ENVS_SESSION_FAILED', 'Could not open a session in "play": it has no group "web:www".'],
  [
    ...['volume-source', 2, 125, 'ENVS_SESSION_FAILED'],
    'Could not open a session in "play": could not share "/host/a": no such file or directory.',
  ],
  [
    ...['volume-target', 20, 125, 'ENVS_SESSION_FAILED'],
    'Could not open a session in "play": could not mount on "/b": not a directory.',
  ],
  [
    ...['terminal', 28, 125, 'ENVS_SESSION_FAILED'],
    'Could not open a session in "play": could not allocate a terminal: no space left on device.',
  ],
  [
    ...['stdin', 21, 125, 'ENVS_SESSION_FAILED'],
    'Could not open a session in "play": standard input is a folder, which a session cannot take: illegal operation on a directory.',
  ],
  [
    'filter',
    22,
    125,
    'ENVS_SESSION_FAILED',
    'Could not open a session in "play": step filter failed: invalid argument.',
  ],
  [
    'fork',
    9999,
    125,
    'ENVS_SESSION_FAILED',
    'Could not open a session in "play": step fork failed: errno 9999.',
  ],
] as const) {
  test(`tells of stage ${stage} with errno ${errno}`, () => {
    const error = sessionError('play', REQUEST, {stage, errno})
    assert.deepEqual([error.exitCode, error.code, error.message], [exitCode, code, message])
  })
}

for (const [what, command, suggestions] of [
  ['a line', ['ls -la /'], ["envs run play -- sh -c 'ls -la /'"]],
  ['a pipe', ['ls|wc'], ["envs run play -- sh -c 'ls|wc'"]],
  ['a builtin', ['cd', '/tmp'], ["envs run play -- sh -c 'cd /tmp'"]],
  ['a program', ['nginx', '-t'], []],
  [
    'the login shell',
    [],
    [
      'It has no shell to enter, as small images of containers. Run one of its programs: envs run play -- PROGRAM',
      'If it had one: envs undo play',
    ],
  ],
] as const) {
  test(`${what} that was not found leads to the right command`, () => {
    const error = sessionError('play', {...REQUEST, command}, {stage: 'exec', errno: 2})
    assert.deepEqual([error.exitCode, error.suggestions], [127, suggestions])
  })
}

for (const [stage, errno, limit] of [
  ['fork', 11, 'no more processes and threads (ulimit -u)'],
  ['descriptors', 24, 'no more open files in one process (ulimit -n)'],
  ['terminal', 12, 'no more memory (ulimit -v)'],
] as const) {
  test(`a limit is named where it is reached: ${stage}`, () => {
    const error = sessionError('play', REQUEST, {stage, errno})
    assert.equal(error.message, `Could not open a session in "play": a limit is reached: ${limit}.`)
    assert.deepEqual(error.suggestions, ['envs ps play'])
  })
}
