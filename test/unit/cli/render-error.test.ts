import assert from 'node:assert/strict'
import {test} from 'node:test'
import {describeFailure, failureJson, renderFailure, versionLine} from '../../../src/cli/render-error.js'
import {EnvsError, ExitCode} from '../../../src/errors.js'
import {capture} from '../../../src/host/process.js'
import {systemError} from '../../support/system-error.js'

class GoneError extends EnvsError {
  constructor(name: string, cause?: unknown) {
    super(`There is no environment ${name}.`, {
      code: 'ENVS_GONE',
      exitCode: ExitCode.notFound,
      suggestions: ['envs list', 'Look again.'],
      cause,
    })
  }
}

const SHORT = {verbose: false, version: 'test'}

test('shows message and next steps of a failure, and no stack', () => {
  assert.equal(
    renderFailure(describeFailure(new GoneError('web')), SHORT),
    'envs: There is no environment web.\n  try: envs list\n  Look again.\n',
  )
})

test('escapes names that steer a terminal', () => {
  const text = renderFailure(describeFailure(new GoneError('\x1b[2J\nenvs: fine')), SHORT)
  assert.equal(text.split('\n')[0], 'envs: There is no environment \\e[2J\\nenvs: fine.')
})

test('never wraps a long line', () => {
  const url = `https://example.org/${'a'.repeat(400)}`
  const [line] = renderFailure(describeFailure(new GoneError(url)), SHORT).split('\n')
  assert.equal(line, `envs: There is no environment ${url}.`)
})

test('tells the causes when asked to say more', () => {
  const cause = new Error('read failed', {cause: new Error('EIO')})
  const text = renderFailure(describeFailure(new GoneError('web', cause)), {verbose: true, version: 'test'})
  assert.deepEqual(text.split('\n').slice(0, 3), [
    'envs: There is no environment web.',
    '  caused by: read failed',
    '  caused by: EIO',
  ])
})

test('ends on causes that go round in a circle', () => {
  const error = new Error('a')
  error.cause = error
  assert.equal(describeFailure(error).causes.length, 10)
})

test('shows the stack of a bug and where to go with it', () => {
  const failure = describeFailure(new TypeError('x is not a function'))
  const lines = renderFailure(failure, SHORT).trimEnd().split('\n')
  assert.equal(failure.exitCode, 1)
  assert.equal(lines[0], 'envs: TypeError: x is not a function')
  assert.match(lines[1] ?? '', /^ {4}at /)
  assert.equal(
    lines.at(-1),
    'This is a bug in envs (test). Please report it with these lines and what you typed.',
  )
})

test('takes a thrown string for a bug', () => {
  assert.deepEqual(failureJson(describeFailure('oops')), {
    error: {code: 'ENVS_BUG', message: 'oops', suggestions: []},
  })
})

for (const [errno, message] of [
  ['ENOSPC', 'No space is left on the disk of "/data/x".'],
  ['EDQUOT', 'Your quota is used up on the disk of "/data/x".'],
] as const) {
  test(`tells ${errno} in words, with the storage status`, () => {
    const error = systemError(errno, {path: '/data/x'})
    const failure = describeFailure(error)
    assert.equal(failure.message, message)
    assert.equal(failure.exitCode, 8)
    assert.equal(failure.code, 'ENVS_NO_SPACE')
  })
}

test('tells what the disk refused, without a stack', () => {
  const error = systemError('EACCES', {path: '/data/x'})
  const failure = describeFailure(error)
  assert.equal(failure.message, 'Could not access "/data/x": permission denied.')
  assert.deepEqual([failure.code, failure.exitCode, failure.stack], ['ENVS_STORAGE_FAILED', 8, undefined])
})

for (const [errno, words] of [
  [116, 'the file server does not know the file any more'],
  [117, 'the file system is damaged'],
  [123, 'the disk is gone'],
] as const) {
  test(`tells errno ${errno}, which Node has no name for, in words`, () => {
    const code = `Unknown system error -${errno}`
    const {message, exitCode} = describeFailure(
      Object.assign(new Error(code), {code, errno: -errno, syscall: 'open', path: '/data/x'}),
    )
    assert.deepEqual([message, exitCode], [`Could not access "/data/x": ${words}.`, 8])
  })
}

test('takes a refusal that names no path for a bug, unless the call was made by the descriptor of a file', () => {
  const bug = describeFailure(Object.assign(systemError('EPERM'), {syscall: 'kill'}))
  assert.deepEqual([bug.code, bug.exitCode], ['ENVS_BUG', 1])
  const {message, exitCode} = describeFailure(systemError('EROFS'))
  assert.deepEqual([message, exitCode], ['Could not read or write a file: read-only file system.', 8])
})

test('names the program that could not be started', () => {
  const error = Object.assign(systemError('ETXTBSY', {path: 'flock'}), {syscall: 'spawn flock'})
  const {message, exitCode} = describeFailure(error)
  assert.deepEqual([message, exitCode], ['Could not start the program "flock": text file is busy.', 7])
})

test('has a closed JSON shape', () => {
  assert.deepEqual(failureJson(describeFailure(new GoneError('web', new Error('secret')))), {
    error: {
      code: 'ENVS_GONE',
      message: 'There is no environment web.',
      suggestions: ['envs list', 'Look again.'],
    },
  })
})

test('a bug names the version of envs also where it ends a session', async () => {
  const module = new URL('../../../src/cli/render-error.ts', import.meta.url).href
  const program = `const {sessionStatus, reportFailure} = await import(${JSON.stringify(module)})
reportFailure(new TypeError('x'), {verbose: false, statusOf: sessionStatus})`
  const argv = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', program]
  const {status, stderr} = await capture(argv)
  assert.equal(status, 125)
  assert.ok(stderr.includes(`This is a bug in envs (${versionLine()}).`), stderr)
})
