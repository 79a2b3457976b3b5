import assert from 'node:assert/strict'
import {test} from 'node:test'
import {sourceProgram} from '../../support/source-program.js'
import {runInTerminal} from '../../support/terminal.js'

const ASK = sourceProgram('ask').join(' ')

for (const [answer, status, said] of [
  ['y\r', 0, 'agreed'],
  ['YES\r', 0, 'agreed'],
  ['n\r', 2, 'ENVS_DECLINED'],
  ['\r', 2, 'ENVS_DECLINED'],
  ['yellow\r', 2, 'ENVS_DECLINED'],
  ['\x04', 2, 'ENVS_DECLINED'],
  ['\x03', 130, 'ENVS_INTERRUPTED'],
] as const) {
  test(`takes ${JSON.stringify(answer)} for ${said}`, async () => {
    const run = await runInTerminal(ASK, {typed: [{after: 'Remove web? [y/N] ', send: answer}]})
    // The answer's line has ended, and no line is empty.
    assert.deepEqual(run.screen.split('\r\n').slice(1), [said, ''])
    assert.equal(run.status, status)
  })
}

for (const [what, redirection] of [
  ['standard input', '< /dev/null'],
  ['standard error', '2> /dev/null'],
] as const) {
  test(`asks nothing when ${what} is no terminal`, async () => {
    const run = await runInTerminal(`${ASK} ${redirection}`)
    assert.deepEqual(run, {status: 2, screen: 'ENVS_CONFIRMATION_NEEDED\r\n'})
  })
}
