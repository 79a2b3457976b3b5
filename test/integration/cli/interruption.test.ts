import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {test} from 'node:test'
import {sourceProgram} from '../../support/source-program.js'

const [NODE = '', ...PROGRAM] = sourceProgram('wait')

function startWaiting(...argv: string[]) {
  const child = spawn(NODE, [...PROGRAM, ...argv], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 60_000,
  })
  child.stdout.setEncoding('utf8')
  return child
}

for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  test(`lets the work tidy up on ${signal} and ends with ${status}`, async () => {
    const child = startWaiting()
    const ended = once(child, 'exit')
    await once(child.stdout, 'data')
    child.kill(signal)
    assert.deepEqual(await once(child.stdout, 'data'), ['tidied up\n'])
    assert.deepEqual(await ended, [status, null])
  })
}

test('is ended at once by a second signal', async () => {
  const child = startWaiting('hang')
  const ended = once(child, 'exit')
  await once(child.stdout, 'data')
  child.kill('SIGINT')
  await once(child.stdout, 'data')
  child.kill('SIGINT')
  assert.deepEqual(await ended, [null, 'SIGINT'])
})
