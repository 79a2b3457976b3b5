import assert from 'node:assert/strict'
import {test} from 'node:test'
import {capture} from '../../../src/host/process.js'
import {sourceProgram} from '../../support/source-program.js'
import {runInTerminal} from '../../support/terminal.js'

const STAGES = sourceProgram('stages')

/** Without what would make a terminal count as none. */
const ENV = {...process.env, CI: '', NO_COLOR: '1'}

test('prints a line as a stage starts and ends, on standard error, where there is no terminal', async () => {
  const run = await capture(STAGES, {env: ENV})
  assert.equal(run.stdout, 'result\n')
  assert.deepEqual(run.stderr.trimEnd().split('\n'), [
    '❯ Download the image',
    '✔ Download the image',
    '❯ Extract it',
    '✔ Extract it',
  ])
})

test('prints nothing but the result when silent', async () => {
  const run = await capture([...STAGES, 'silent'], {env: ENV})
  assert.deepEqual(run, {status: 0, signal: null, stdout: 'result\n', stderr: ''})
})

test('throws the failure of a stage as it is', async () => {
  const run = await capture([...STAGES, 'fail'], {env: ENV})
  assert.equal(run.stdout, 'threw RangeError: broken archive\n')
})

test('leaves the telling of a failure to whoever catches it', async () => {
  const run = await capture([...STAGES, 'fail'], {env: ENV})
  assert.doesNotMatch(run.stderr, /broken archive/)
})

test('shows which stage failed on a terminal, and not why', async () => {
  const run = await runInTerminal(`${STAGES.join(' ')} fail > /dev/null`, {env: {CI: '', NO_COLOR: '1'}})
  assert.match(run.screen, /✖ Extract it/)
  assert.doesNotMatch(run.screen, /broken archive/)
})

test('shows reports on a terminal, a few of very many, and keeps standard output clean', async () => {
  const run = await runInTerminal(`${STAGES.join(' ')} > /dev/null`, {env: {CI: '', NO_COLOR: '1'}})
  const reports = new Set(run.screen.match(/(?:part \d+|last part)/g))
  assert.deepEqual([...reports], ['part 0', 'last part'])
  assert.match(run.screen, /✔ Extract it/)
  assert.doesNotMatch(run.screen, /result/)
})

test('falls back to lines on a dumb terminal', async () => {
  const run = await runInTerminal(`${STAGES.join(' ')} > /dev/null`, {env: {TERM: 'dumb', NO_COLOR: '1'}})
  assert.doesNotMatch(run.screen, /part/)
  assert.match(run.screen, /✔ Extract it/)
})

test('shows the stages of a group beside each other on a terminal, below its title', async () => {
  const run = await runInTerminal(`${STAGES.join(' ')} group > /dev/null`, {env: {CI: '', NO_COLOR: '1'}})
  assert.match(run.screen, /✔ Make it/)
  assert.match(run.screen, / {2}✔ Fetch/)
  assert.match(run.screen, / {2}✔ Unpack/)
})

test('prints the stages of a group one after another, and not its title, where there is no terminal', async () => {
  const run = await capture([...STAGES, 'group'], {env: ENV})
  assert.deepEqual(run.stderr.split('\n').slice(0, 5), [
    ...['❯ Fetch', '✔ Fetch', '❯ Unpack', '✔ Unpack', '❯ Download the image'],
  ])
})
