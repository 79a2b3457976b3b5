import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {test} from 'node:test'
import {capture} from '../../src/host/process.js'
import {CLI, sandboxedCli} from '../support/cli.js'

const ENVS = `"${process.execPath}" "${CLI}"`

for (const [what, command, status] of [
  ['standard output', `${ENVS} config list`, 0],
  ['standard error', `${ENVS} confg 2>&1 >/dev/null`, 2],
] as const) {
  test(`keeps its status and says nothing when the reader of ${what} has gone`, async (t) => {
    const cli = await sandboxedCli(t)
    // By then true(1) has ended, so that the first write meets a closed pipe.
    const script = `{ sleep 0.3; ${command}; echo $? >status; } | true; cat status`
    const run = await capture(['sh', '-c', script], {cwd: cli.home, env: {...cli.env}})
    assert.deepEqual(run, {status: 0, signal: null, stdout: `${status}\n`, stderr: ''})
  })
}

test('tells that the result could not be written', async (t) => {
  if (!existsSync('/dev/full')) return t.skip('/dev/full is missing')
  const cli = await sandboxedCli(t)
  const run = await capture(['sh', '-c', `${ENVS} config list >/dev/full`], {env: {...cli.env}})
  assert.equal(run.status, 8)
  assert.equal(run.stderr.split('\n')[0], 'envs: No space is left on the disk.')
})

test('makes no file and no folder for a command that only reads', async (t) => {
  const cli = await sandboxedCli(t)
  await cli.run('config', 'list')
  await cli.run('--help')
  assert.equal(existsSync(cli.data), false)
  assert.equal(existsSync(cli.configFile), false)
})
