import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {chmod, mkdir, readFile, stat, symlink, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {readLiveAnchor} from '../../src/sandbox/anchor-state.js'
import {FRONT_DOOR, type RunOptions, runCli} from '../support/cli.js'
import {environmentCli} from '../support/environment-cli.js'
import {WITHOUT_NODE} from '../support/front-door.js'
import {type Guest, sharedGuest} from '../support/guest.js'
import {stopped} from '../support/running-session.js'
import {tinyRootfs} from '../support/tiny-rootfs.js'

const play = sharedGuest('emulated')

function shimFolder({cli}: Pick<Guest, 'cli'>): string {
  return join(cli.home, '.local', 'bin')
}

/** Runs a shim by its path, as another program would, in the caller's surroundings. */
function runShim(guest: Pick<Guest, 'cli'>, name: string, argv: readonly string[], options: RunOptions = {}) {
  const {env, home} = guest.cli
  return runCli([join(shimFolder(guest), name), ...argv], {env, home, options})
}

async function up(): Promise<Guest> {
  const guest = await play()
  if (readLiveAnchor(guest.state) === undefined) await guest.sh('exec sleep 600 >/dev/null 2>&1 &')
  return guest
}

test('a shim hands arguments, input, output and status on, and needs no Node', async () => {
  const guest = await up()
  const made = await guest.cli.run('shim', 'play', 'sh', '/usr/bin/env')
  assert.deepEqual([made.status, made.stdout], [0, ''])
  assert.match(
    made.stderr,
    /^sh runs in play now\.\nenv runs in play now\.\nenvs: warning: .*\.local\/bin is not in your PATH/,
  )
  const script = 'printf "<%s>" "$@"; cat; echo err >&2; exit 42'
  const odd = ['', 'a b', "it's", '"', '$HOME', '`id`', '--', '--help', 'a\nb', 'ü', '*']
  const ran = await runShim(guest, 'sh', ['-c', script, 'sh', ...odd], {input: 'in\0put', env: WITHOUT_NODE})
  assert.deepEqual(ran, {
    status: 42,
    signal: null,
    stdout: `${odd.map((word) => `<${word}>`).join('')}in\0put`,
    stderr: 'err\n',
  })
  const {stdout} = await runShim(guest, 'env', ['-u', 'PATH'], {
    env: {...WITHOUT_NODE, SECRET: 'x', TERM: 'vt52'},
  })
  assert.match(stdout, /^ENVS_NAME=play$/m)
  assert.match(stdout, /^TERM=vt52$/m)
  assert.doesNotMatch(stdout, /SECRET|XDG_|ENVS_ON_HOST/)
})

test('a shim starts an environment that is down, also where PATH has no Node', async () => {
  const guest = await stopped(play)
  await guest.cli.run('shim', 'play', 'hostname')
  assert.deepEqual(await runShim(guest, 'hostname', [], {env: {PATH: '/bin'}}), {
    status: 0,
    signal: null,
    stdout: 'play\n',
    stderr: '',
  })
})

test('a shim that sees a folder works in it, without Node, and elsewhere at home', async () => {
  const guest = await up()
  const folder = join(guest.cli.home, 'src', 'a b')
  await mkdir(folder, {recursive: true})
  await guest.cli.run('shim', 'play', 'sh', '--volume', './src:/work', '--quiet')
  const shim = join(shimFolder(guest), 'sh')
  const {stdout, stderr} = await guest.onHost(
    `PATH=/nowhere; cd 'src/a b'; '${shim}' -c 'pwd; echo made >note'; cd ../..; '${shim}' -c pwd`,
  )
  assert.deepEqual([stdout, stderr], ['/work/a b\n/root\n', ''])
  assert.equal(await readFile(join(folder, 'note'), 'utf8'), 'made\n')
  const refused = await guest.cli.run('shim', 'play', 'sh', '--volume', 'src:work')
  assert.equal(refused.status, 2)
})

test('a shim leads to the store it was made in', async () => {
  const guest = await up()
  await guest.cli.run('shim', 'play', 'hostname')
  const elsewhere = {ENVS_HOME: join(guest.cli.home, 'other'), XDG_DATA_HOME: '/nowhere'}
  assert.equal((await runShim(guest, 'hostname', [], {env: elsewhere})).stdout, 'play\n')
})

test('a signal to a shim is the command’s', async () => {
  const guest = await up()
  await guest.cli.run('shim', 'play', 'bash')
  const {stdout} = await guest.onHost(
    `'${shimFolder(guest)}/bash' -c 'trap "echo caught; exit 9" TERM; echo ready; while :; do sleep 0.05; done' >out & \
until grep -q ready out; do sleep 0.05; done; kill -TERM $!; wait $!; echo $?; cat out`,
  )
  assert.equal(stdout, '9\nready\ncaught\n')
})

test('shims of programs that envs needs itself come in nobody’s way', async () => {
  const guest = await up()
  const names = ['node', 'perl', 'bwrap', 'unshare', 'flock']
  await guest.cli.run('shim', 'play', ...names)
  const PATH = `${shimFolder(guest)}:${guest.cli.env['PATH']}`
  const {env, home} = guest.cli
  const envs = (...argv: string[]) => runCli([FRONT_DOOR, ...argv], {env, home, options: {env: {PATH}}})
  assert.equal((await envs('list', '--quiet')).stdout, 'play\n')
  assert.equal((await envs('run', 'play', 'echo', 'up')).stdout, 'up\n')
  const perl = await runShim(guest, 'perl', ['-e', 'print $ENV{ENVS_NAME}'], {env: {PATH}})
  assert.equal(perl.stdout, 'play')
  const node = await runShim(guest, 'node', ['--version'], {env: {PATH: shimFolder(guest)}})
  assert.deepEqual([node.status, node.stderr], [127, 'envs: The command "node" was not found in "play".\n'])
  assert.equal((await guest.cli.run('shim', 'play', ...names, '--remove')).status, 0)
})

test('shims are listed, and removed by name or all at once', async () => {
  const guest = await play()
  await guest.cli.run('shim', 'play', '--remove')
  const none = 'Make one: envs shim play jq\n'
  assert.equal((await guest.cli.run('shims')).stderr, `There is no shim yet. ${none}`)
  assert.equal((await guest.cli.run('shims', 'play')).stderr, `play has no shim. ${none}`)
  await guest.cli.run('shim', 'play', 'jq', '/opt/x y/b@2', 'g++', '--quiet')
  await writeFile(join(shimFolder(guest), 'mine'), '#!/bin/sh\n')
  const listed = JSON.parse((await guest.cli.run('shims', '--json')).stdout)
  const path = (name: string) => join(shimFolder(guest), name)
  assert.deepEqual(listed, [
    {name: 'b@2', environment: 'play', command: '/opt/x y/b@2', path: path('b@2')},
    {name: 'g++', environment: 'play', command: 'g++', path: path('g++')},
    {name: 'jq', environment: 'play', command: 'jq', path: path('jq')},
  ])
  assert.equal((await guest.cli.run('shims', 'play', '--quiet')).stdout, 'b@2\ng++\njq\n')
  const unknown = await guest.cli.run('shim', 'play', 'jq', 'no-such', '--remove')
  assert.deepEqual(
    [unknown.status, unknown.stderr.split('\n')[0]],
    [3, 'envs: The environment "play" has no shim "no-such".'],
  )
  const one = await guest.cli.run('shim', 'play', '/opt/x y/b@2', '--remove', '--json')
  assert.deepEqual(JSON.parse(one.stdout), {removed: ['b@2']})
  assert.equal(
    (await guest.cli.run('shim', 'play', '--remove')).stderr,
    'Removed the shim g++.\nRemoved the shim jq.\n',
  )
  assert.equal(await readFile(path('mine'), 'utf8'), '#!/bin/sh\n')
})

test('of an environment that is not there, and left no shim, the commands of shims say what all others do', async () => {
  const guest = await play()
  for (const argv of [
    ['shims', 'plya'],
    ['shim', 'plya', '--remove'],
    ['shim', 'plya', 'jq', '--remove'],
  ]) {
    const ran = await guest.cli.run(...argv)
    assert.deepEqual(ran, {
      status: 3,
      signal: null,
      stdout: '',
      stderr: 'envs: There is no environment "plya".\n  Did you mean play?\n',
    })
    const {status, stdout} = await guest.cli.run(...argv, '--json')
    assert.deepEqual([status, JSON.parse(stdout).error.code], [3, 'ENVS_NOT_FOUND'])
  }
  assert.equal((await guest.cli.run('shims', '../play')).status, 2)
})

test('one that can not be made keeps the others from being made', async () => {
  const guest = await play()
  for (const [argv, status] of [
    [['one', '../two'], 2],
    [[], 2],
  ] as const) {
    assert.equal((await guest.cli.run('shim', 'play', ...argv)).status, status)
    assert.equal(existsSync(join(shimFolder(guest), 'one')), false)
  }
})

test('a file of the user’s own is replaced with --force alone, a folder never, a link not followed', async () => {
  const guest = await play()
  const folder = shimFolder(guest)
  await mkdir(join(folder, 'taken-folder'), {recursive: true})
  await writeFile(join(folder, 'taken'), 'own\n')
  await symlink('taken', join(folder, 'taken-link'))
  for (const name of ['taken', 'taken-link', 'taken-folder']) {
    const ran = await guest.cli.run('shim', 'play', 'free', name)
    assert.deepEqual(
      [ran.status, ran.stderr.split('\n')[0]],
      [4, `envs: The file "${join(folder, name)}" exists already, and is not a shim of envs.`],
    )
    assert.equal(existsSync(join(folder, 'free')), false)
  }
  assert.equal((await guest.cli.run('shim', 'play', 'taken-link', '--force')).status, 0)
  assert.equal(await readFile(join(folder, 'taken'), 'utf8'), 'own\n')
  assert.equal((await guest.cli.run('shim', 'play', 'taken', '--force')).status, 0)
  assert.equal((await stat(join(folder, 'taken'))).mode & 0o777, 0o755)
  assert.equal((await guest.cli.run('shim', 'play', 'taken-folder', '--force')).status, 4)
})

test('a shim whose envs is gone says which', async () => {
  const guest = await up()
  await guest.cli.run('shim', 'play', 'lost')
  const path = join(shimFolder(guest), 'lost')
  await writeFile(path, (await readFile(path, 'utf8')).replace(FRONT_DOOR, '/gone/envs'))
  await chmod(path, 0o755)
  const ran = await runShim(guest, 'lost', [])
  assert.deepEqual(ran, {
    status: 125,
    signal: null,
    stdout: '',
    stderr: `envs: ${path} needs /gone/envs, which does not exist any more.\n`,
  })
})

test('rename and rm tell which shims still lead to what is gone, and these say so', async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  const missing = await cli.run('shim', 'first', 'jq')
  assert.deepEqual(
    [missing.status, missing.stderr.split('\n')[0]],
    [3, 'envs: There is no environment "first".'],
  )
  await cli.run('create', path, '--name', 'first', '--identity', 'emulated', '--quiet')
  await cli.run('shim', 'first', 'jq', 'node')
  const left = 'Shims still lead to first: jq, node. Remove them: envs shim first --remove\n'
  assert.equal((await cli.run('rename', 'first', 'second')).stderr, `Renamed first to second.\n${left}`)
  const moved = await cli.run('shim', 'second', 'jq')
  assert.match(moved.stderr, /^jq runs in second now\. Before, it ran in first\.\n/)
  assert.match((await cli.run('rm', 'second')).stderr, /^Removed second\.\nShims still lead to second: jq\. /)
  const ran = await runShim({cli}, 'jq', [])
  assert.deepEqual([ran.status, ran.stderr.split('\n')[0]], [125, 'envs: There is no environment "second".'])
  assert.equal((await cli.run('shims', 'second', '--quiet')).stdout, 'jq\n')
  assert.deepEqual(JSON.parse((await cli.run('shim', 'second', '--remove', '--json')).stdout), {
    removed: ['jq'],
  })
  assert.equal((await cli.run('shims', 'second')).status, 3)
})
