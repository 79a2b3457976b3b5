import assert from 'node:assert/strict'
import {type TestContext, test} from 'node:test'
import {declaredCommands} from '../support/commands.js'
import {environmentCli} from '../support/environment-cli.js'
import {assertDocumented, outputSchema} from '../support/json-schema.js'
import {startGroup} from '../support/process-group.js'
import {seededRootfs} from '../support/seeded-image.js'
import {layeredTest} from '../support/stacked-layers.js'
import {waitUntil} from '../support/wait-until.js'

test('what --json prints is as its schema has it', async (t) => {
  const {cli, note} = await noting(t)
  await note(
    'create',
    'create',
    await seededRootfs(cli, 'emulated'),
    '--name',
    'play',
    '--identity',
    'emulated',
    '--json',
  )
  const again = await seededRootfs(cli, 'emulated')
  await note('create --dry-run', 'create', again, '--name', 'other', '--dry-run', '--json')
  await note('run --dry-run', 'run', '--dry-run', '--json', 'play', 'true')
  const session = startGroup(cli, ['run', 'play', 'sleep', '100'])
  await waitUntil('the command', async () => (await cli.run('ps', 'play')).stdout.includes('sleep 100'))
  await note('list', 'list', '--json')
  await note('show', 'show', 'play', '--json')
  await note('ps', 'ps', '--json')
  await note('path', 'path', '--json')
  await note('stop', 'stop', 'play', '--json')
  await session.ended
  await note('doctor NAME', 'doctor', 'play', '--json')
  await note('doctor --repair', 'doctor', '--repair', '--json')
  await note('clone', 'clone', 'play', 'copy', '--json')
  await note('rename', 'rename', 'play', 'web', '--json')
  await note('shim', 'shim', 'web', 'jq', '--json')
  await note('shims', 'shims', '--json')
  await note('shim --remove', 'shim', 'web', '--remove', '--json')
  await note('rm', 'rm', 'web', '--json')
  await note('config list', 'config', 'list', '--json')
  await note('config set', 'config', 'set', 'identity', 'auto', '--json')
  await note('config get', 'config', 'get', 'identity', '--json')
  await note('config unset', 'config', 'unset', 'identity', '--json')
  await note('error', 'show', 'nothing', '--json')
})

layeredTest('what --json prints of points to go back to is as its schema has it', async (t) => {
  const {cli, note} = await noting(t)
  await cli.run('create', await seededRootfs(cli, 'emulated'), '--name', 'play', '--identity', 'emulated')
  await note('snapshot', 'snapshot', 'play', 'first', '--json')
  const session = startGroup(cli, ['run', 'play', 'sh', '-c', 'echo word >/srv/word; sleep 100'])
  await waitUntil('the command', async () => (await cli.run('ps', 'play')).stdout.includes('sleep 100'))
  await note('snapshot, running', 'snapshot', 'play', 'second', '--json')
  await cli.run('stop', 'play')
  await session.ended
  await note('restore', 'restore', 'play', 'first', '--json')
  await note('undo', 'undo', 'play', '--json')
  await note('reset', 'reset', 'play', '--json')
  await note('snapshots', 'snapshots', 'play', '--json')
  await note('snapshots --remove', 'snapshots', 'play', '--remove', 'second', '--json')
})

test('what --json prints of what is carried away and kept is as its schema has it', async (t) => {
  const {cli, note} = await noting(t)
  await cli.run('try', await seededRootfs(cli), '-q', '--', 'true')
  await note('prune --dry-run', 'prune', '--dry-run', '--json')
  await note('keep', 'keep', 'play', '--json')
  await note('export', 'export', 'play', '-o', 'play.tar', '--json')
  await note('import', 'import', 'play.tar', '--name', 'again', '--json')
  await cli.run('try', await seededRootfs(cli), '-q', '--', 'true')
  await note('prune', 'prune', '--yes', '--json')
})

test('every command that has --json is in the schema of what is printed, and nothing else', async () => {
  const {properties} = await outputSchema()
  // What they print is the guest's: with --json they tell of failures alone.
  const sessions = ['enter', 'try']
  const declared = [...(await declaredCommands())].filter(
    ([name, {hidden, enableJsonFlag}]) => !hidden && enableJsonFlag && !sessions.includes(name),
  )
  const documented = new Set(Object.keys(properties).map((key) => key.replace(/ (--.*|NAME)$/, '')))
  assert.deepEqual([...documented].sort(), ['error', ...declared.map(([name]) => name)].sort())
})

test('what the schema does not name, or wants and does not get, is noticed', async () => {
  const printed = {name: 'play', wasRunning: true, killed: []}
  await assertDocumented('stop', printed)
  for (const wrong of [{...printed, more: 1}, {name: 'play'}, {...printed, wasRunning: 'yes'}])
    await assert.rejects(assertDocumented('stop', wrong), assert.AssertionError)
})

test('doctor --json says whether environments can run, and what was looked at', async (t) => {
  const cli = await environmentCli(t)
  const report = JSON.parse((await cli.run('doctor', '--json')).stdout)
  await assertDocumented('doctor', report)
  for (const {status, cost, remedy, request} of report.checks)
    if (status === 'pass') assert.deepEqual([cost, remedy, request], [null, null, null])
})

async function noting(t: TestContext) {
  const cli = await environmentCli(t)
  const note = async (key: string, ...argv: string[]) =>
    assertDocumented(key, JSON.parse((await cli.run(...argv)).stdout))
  return {cli, note}
}
