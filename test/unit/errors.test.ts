import assert from 'node:assert/strict'
import {spawnSync} from 'node:child_process'
import {readFileSync, rmSync} from 'node:fs'
import {readFile, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {test} from 'node:test'
import {errnoOf, UsageError} from '../../src/errors.js'
import {systemError} from '../support/system-error.js'

/** An error as Node reports an errno that libuv does not know. */
function unnamedError(errno: number): Error {
  const code = `Unknown system error -${errno}`
  return Object.assign(new Error(`${code}, open '/x'`), {code, errno: -errno, syscall: 'open', path: '/x'})
}

async function thrownBy(work: () => unknown): Promise<unknown> {
  try {
    await work()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

for (const [what, work, errno] of [
  ['a synchronous call on a file', () => readFileSync('/nonexistent'), 'ENOENT'],
  ['an asynchronous one', () => readFile('/nonexistent/x'), 'ENOENT'],
  ['a signal', () => process.kill(2 ** 22 + 1, 0), 'ESRCH'],
  ['a refusal of Node in the words of the system', () => rmSync(tmpdir()), 'EISDIR'],
  ['a program', () => Promise.reject(spawnSync('/nonexistent').error), 'ENOENT'],
  ['one without a name in libuv', () => Promise.reject(systemError('EDQUOT')), 'EDQUOT'],
  ['one without a name in Node', () => Promise.reject(unnamedError(117)), 'EUCLEAN'],
] as const) {
  test(`the errno of a failed system call is known: ${what}`, async () => {
    assert.equal(errnoOf(await thrownBy(work)), errno)
  })
}

for (const [what, work] of [
  ['an argument of the wrong type', () => readFileSync(undefined as unknown as string)],
  ['a name with a NUL in it', () => readFileSync('a\0b')],
  ['what Node itself refuses', () => rm('/nonexistent', {maxRetries: -1})],
  ['an error of ours', () => Promise.reject(new UsageError('no'))],
  ['an error with a code alone', () => Promise.reject(Object.assign(new Error('x'), {code: 'ENOENT'}))],
  ['what is no error', () => Promise.reject({code: 'ENOENT', errno: -2})],
] as const) {
  test(`no errno of the system: ${what}`, async () => {
    assert.equal(errnoOf(await thrownBy(work)), undefined)
  })
}
