import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {type TestContext, test} from 'node:test'
import {ExitCode} from '../../src/errors.js'
import {declaredCommands} from '../support/commands.js'
import {debianRootfs} from '../support/debian-rootfs.js'
import {environmentCli} from '../support/environment-cli.js'
import {assertDocumented, outputSchema} from '../support/json-schema.js'
import {assertPinned, shapeOf} from '../support/pinned.js'
import {startGroup} from '../support/process-group.js'
import {layeredTest} from '../support/stacked-layers.js'
import {waitUntil} from '../support/wait-until.js'

type Manifest = {
  readonly commands: Readonly<
    Record<
      string,
      {
        readonly hiddenAliases: readonly string[]
        readonly strict: boolean
        readonly enableJsonFlag?: boolean
        readonly args: Readonly<Record<string, {required?: boolean}>>
        readonly flags: Readonly<
          Record<
            string,
            {
              readonly char?: string
              readonly type: string
              readonly multiple?: boolean
              readonly options?: readonly string[]
              readonly env?: string
            }
          >
        >
      }
    >
  >
}

test('commands, aliases, arguments and flags are those that were promised', async () => {
  const url = new URL('../../oclif.manifest.json', import.meta.url)
  const manifest: Manifest = JSON.parse(await readFile(url, 'utf8'))
  const tree = Object.entries(manifest.commands)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, command]) => [
      id.replaceAll(':', ' '),
      {
        aliases: command.hiddenAliases,
        arguments: Object.entries(command.args).map(([name, {required}]) => (required ? name : `[${name}]`)),
        flags: Object.fromEntries(
          Object.entries(command.flags)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([name, {char, type, multiple, options, env}]) => [
              `--${name}`,
              {
                ...(char && {char}),
                type,
                ...(multiple && {multiple}),
                ...(options && {options}),
                ...(env && {env}),
              },
            ]),
        ),
      },
    ])
  await assertPinned('command-tree.json', Object.fromEntries(tree))
})

test('what --json prints has the keys and types that were promised', async (t) => {
  const {cli, shapes, note} = await noteShapes(t)
  await note('create', 'create', await debianRootfs(), '--name', 'play', '--identity', 'emulated', '--json')
  await note('run --dry-run', 'run', '--dry-run', '--json', 'play', 'true')
  const session = startGroup(cli, ['run', 'play', 'sleep', '100'])
  while (!(await cli.run('ps', 'play')).stdout.includes('sleep 100')) await new Promise(setImmediate)
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
  await assertPinned('json-shapes.json', shapes)
})

layeredTest(
  'what --json prints of points to go back to has the keys and types that were promised',
  async (t) => {
    const {cli, shapes, note} = await noteShapes(t)
    await cli.run('create', await debianRootfs(), '--name', 'play', '--identity', 'emulated')
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
    await assertPinned('snapshot-json-shapes.json', shapes)
  },
)

test('what --json prints of what is carried away and kept has the keys and types that were promised', async (t) => {
  const {cli, shapes, note} = await noteShapes(t)
  await cli.run('try', await debianRootfs(), '-q', '--', 'true')
  await note('prune --dry-run', 'prune', '--dry-run', '--json')
  await note('keep', 'keep', 'play', '--json')
  await note('export', 'export', 'play', '-o', 'play.tar', '--json')
  await note('import', 'import', 'play.tar', '--name', 'again', '--json')
  await cli.run('try', await debianRootfs(), '-q', '--', 'true')
  await note('prune', 'prune', '--yes', '--json')
  await assertPinned('carried-json-shapes.json', shapes)
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
  const printed = {name: 'play', wasRunning: true}
  await assertDocumented('stop', printed)
  for (const wrong of [{...printed, more: 1}, {name: 'play'}, {...printed, wasRunning: 'yes'}])
    await assert.rejects(assertDocumented('stop', wrong), assert.AssertionError)
})

test('doctor --json says whether environments can run, and what was looked at', async (t) => {
  const cli = await environmentCli(t)
  const report = JSON.parse((await cli.run('doctor', '--json')).stdout)
  await assertDocumented('doctor', report)
  const {canRun, engine, ticket, checks} = report
  assert.deepEqual([typeof canRun, typeof engine], ['boolean', 'string'])
  for (const request of ticket?.requests ?? [])
    assert.deepEqual(shapeOf({...request, steps: []}), {
      ...{check: 'string', evidence: 'string', purpose: 'string', opens: 'string'},
      steps: shapeOf([]),
    })
  for (const check of checks)
    assert.deepEqual(shapeOf({...check, cost: '', remedy: '', request: null}), {
      id: 'string',
      title: 'string',
      status: 'string',
      evidence: 'string',
      cost: 'string',
      remedy: 'string',
      request: 'null',
    })
  assert.deepEqual(shapeOf(checks.filter(({status}: {status: string}) => status === 'pass').slice(0, 1)), [
    {
      ...{id: 'string', title: 'string', status: 'string', evidence: 'string'},
      ...{cost: 'null', remedy: 'null', request: 'null'},
    },
  ])
})

test('settings have the names, the variables and the built-in values that were promised', async (t) => {
  const cli = await environmentCli(t)
  await assertPinned('settings.json', JSON.parse((await cli.run('config', 'list', '--json')).stdout))
})

test('exit statuses are those that were promised', () => {
  assert.deepEqual(ExitCode, {
    ok: 0,
    bug: 1,
    usage: 2,
    notFound: 3,
    conflict: 4,
    network: 5,
    integrity: 6,
    host: 7,
    storage: 8,
    guestNotStarted: 125,
  })
})

async function noteShapes(t: TestContext) {
  const cli = await environmentCli(t)
  const shapes: Record<string, unknown> = {}
  const note = async (key: string, ...argv: string[]) => {
    const run = await cli.run(...argv)
    const printed: unknown = JSON.parse(run.stdout)
    await assertDocumented(key, printed)
    shapes[key] = shapeOf(printed)
  }
  return {cli, shapes, note}
}
