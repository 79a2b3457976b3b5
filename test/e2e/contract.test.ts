import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {test} from 'node:test'
import {ExitCode} from '../../src/errors.js'
import {debianRootfs} from '../support/debian-rootfs.js'
import {environmentCli} from '../support/environment-cli.js'
import {assertPinned, shapeOf} from '../support/pinned.js'
import {startGroup} from '../support/process-group.js'

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
  const cli = await environmentCli(t)
  const shapes: Record<string, unknown> = {}
  const note = async (key: string, ...argv: string[]) => {
    const run = await cli.run(...argv)
    shapes[key] = shapeOf(JSON.parse(run.stdout))
  }
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
  await note('clone', 'clone', 'play', 'copy', '--json')
  await note('rename', 'rename', 'play', 'web', '--json')
  await note('rm', 'rm', 'web', '--json')
  await note('config list', 'config', 'list', '--json')
  await note('config set', 'config', 'set', 'identity', 'auto', '--json')
  await note('config get', 'config', 'get', 'identity', '--json')
  await note('config unset', 'config', 'unset', 'identity', '--json')
  await note('error', 'show', 'nothing', '--json')
  await assertPinned('json-shapes.json', shapes)
})

test('doctor --json says whether environments can run, and what was looked at', async (t) => {
  const cli = await environmentCli(t)
  const {canRun, checks} = JSON.parse((await cli.run('doctor', '--json')).stdout)
  assert.equal(typeof canRun, 'boolean')
  for (const check of checks)
    assert.deepEqual(shapeOf({...check, cost: '', remedy: ''}), {
      id: 'string',
      title: 'string',
      status: 'string',
      evidence: 'string',
      cost: 'string',
      remedy: 'string',
    })
  assert.deepEqual(shapeOf(checks.filter(({status}: {status: string}) => status === 'pass').slice(0, 1)), [
    {id: 'string', title: 'string', status: 'string', evidence: 'string', cost: 'null', remedy: 'null'},
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
