import assert from 'node:assert/strict'
import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {environmentCli, plainCli} from '../../support/environment-cli.js'
import {LAST_MEMBER, tinyRootfs} from '../../support/tiny-rootfs.js'

const DIRECTORY = {env: {ENVS_STORAGE: 'directory'}}

test('show tells all that is known, and --json gives create and show the same', async (t) => {
  const cli = await plainCli(t)
  const {path, sha256, bytes} = await tinyRootfs(t)
  const argv = ['create', path, '--sha256', sha256, '--identity', 'emulated', '--json'] as const
  const created = await cli.runWith(DIRECTORY, ...argv)
  const shown = await cli.run('show', 'tiny', '--json')
  assert.deepEqual(JSON.parse(shown.stdout), JSON.parse(created.stdout))
  const {createdAt, sizeBytes, extraction, architecture, image, ...rest} = JSON.parse(shown.stdout)
  assert.ok(Math.abs(Date.now() - Date.parse(createdAt)) < 60_000)
  assert.deepEqual(rest, {
    name: 'tiny',
    state: 'stopped',
    path: cli.root('tiny'),
    identity: 'emulated',
    storage: 'directory',
    init: 'none',
    ...{network: 'host', publish: [], allow: [], allowHosts: [], join: []},
    ...{profile: 'default', readOnly: false, capDrop: []},
    limits: {shared: [], timeoutSeconds: null, isRequired: false, memoryKills: null},
    sharedBytes: 0,
    snapshots: 0,
    lastUsedAt: null,
    processes: 0,
    anchorPid: null,
    engine: 'bwrap',
    isolationGaps: [],
  })
  assert.equal(extraction.entries, 7)
  assert.deepEqual(
    [image.source, image.sha256, image.sizeBytes, image.trust, image.compression],
    [path, sha256, bytes.length, 'digest', 'gzip'],
  )
  assert.deepEqual([typeof sizeBytes, typeof architecture], ['number', 'string'])
})

test('show prints a field a line', async (t) => {
  const cli = await plainCli(t)
  const {path, sha256} = await tinyRootfs(t)
  await cli.runWith(DIRECTORY, 'create', path, '--sha256', sha256, '--identity', 'emulated')
  const {stdout} = await cli.run('info', 'tiny')
  const fields = Object.fromEntries(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/)),
  )
  assert.deepEqual(Object.keys(fields), [
    ...[
      'Name',
      'State',
      'Path',
      'Size',
      'Created',
      'Last used',
      'Identity',
      'Storage',
      'Engine',
      'Init',
      'Profile',
      'Network',
      'Architecture',
    ],
    ...['Image', 'Digest', 'Trust', 'Archive'],
  ])
  assert.equal(fields['Digest'], `sha256:${sha256}`)
  assert.equal(fields['Last used'], 'never')
})

test('show and path tell where the changes of an environment of layers lie, and what it stands on', async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  const made = JSON.parse((await cli.run('create', path, '--json')).stdout)
  if (made.storage !== 'overlay') return t.skip('no layers on this host')
  assert.deepEqual([made.snapshots, made.sizeBytes], [0, 0])
  assert.ok(made.sharedBytes > 0)
  const found = JSON.parse((await cli.run('path', '--json')).stdout)
  assert.deepEqual([found.name, found.path, found.layers.at(-1)], ['tiny', made.path, made.path])
  assert.equal(await readFile(join(found.path, 'etc/hostname'), 'utf8'), 'tiny\n')
  assert.equal(found.layers.length, 2)
  assert.equal(await readFile(join(found.layers[0], LAST_MEMBER), 'utf8'), 'data')
  assert.match((await cli.run('show')).stdout, /^Storage +overlay: .+\nSnapshots +0$/m)
})

test('the name may be left out when there is only one', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await cli.runWith(DIRECTORY, 'create', path)
  assert.equal((await cli.run('path')).stdout, `${cli.root('tiny')}\n`)
  assert.equal(JSON.parse((await cli.run('show', '--json')).stdout).name, 'tiny')
})

test('the name is asked for when there are several, and all are named', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  for (const name of ['b', 'a']) await cli.run('create', path, '--name', name)
  assert.deepEqual(await cli.run('path'), {
    status: 2,
    signal: null,
    stdout: '',
    stderr:
      'envs: The name of the environment is missing: there are 2: a, b.\n  Give the name of one of them.\n',
  })
})

for (const command of ['show', 'path', 'stop']) {
  test(`${command} without any environment says how to begin`, async (t) => {
    const cli = await plainCli(t)
    assert.deepEqual(await cli.run(command), {
      status: 3,
      signal: null,
      stdout: '',
      stderr: 'envs: There is no environment yet.\n  Create one: envs create\n',
    })
  })
}

for (const command of ['show', 'path', 'ps', 'stop', 'rm', 'rename']) {
  test(`${command} of a name nearly right asks whether it was meant`, async (t) => {
    const cli = await plainCli(t)
    const {path} = await tinyRootfs(t)
    await cli.run('create', path)
    const run = await cli.run(command, 'tinny', ...(command === 'rename' ? ['x'] : []))
    assert.deepEqual(run, {
      status: 3,
      signal: null,
      stdout: '',
      stderr: 'envs: There is no environment "tinny".\n  Did you mean tiny?\n',
    })
  })
}

test('login to a registry, as other tools have it, names the programs that sign in', async (t) => {
  const cli = await plainCli(t)
  assert.deepEqual(await cli.run('login', 'registry.example.org'), {
    status: 125,
    signal: null,
    stdout: '',
    stderr:
      'envs: There is no environment "registry.example.org".\n' +
      '  To sign in to a registry, whose credentials envs reads: podman login registry.example.org, or docker login registry.example.org\n' +
      '  See the environments that exist: envs list\n',
  })
})

for (const [what, record, reason] of [
  ['is no JSON', 'x', 'it is not JSON'],
  [
    'is of a later version',
    '{"schemaVersion":9}',
    'a newer envs wrote it: its schemaVersion is 9, and this envs reads up to 2',
  ],
  ['lacks a field', '{"schemaVersion":1,"image":{},"extraction":{}}', 'createdAt is missing'],
] as const) {
  test(`show names the record that ${what}`, async (t) => {
    const cli = await plainCli(t)
    const {path} = await tinyRootfs(t)
    await cli.run('create', path)
    const place = join(cli.store, 'tiny', 'env.json')
    await writeFile(place, record)
    const run = await cli.run('show', 'tiny')
    assert.equal(run.status, 8)
    assert.equal(run.stderr.split('\n')[0], `envs: Could not read the record "${place}": ${reason}.`)
  })
}

for (const command of ['ps', 'stop'] as const) {
  test(`${command} of one that is down does nothing`, async (t) => {
    const cli = await plainCli(t)
    const {path} = await tinyRootfs(t)
    await cli.run('create', path)
    const run = await cli.run(command, 'tiny', '--json')
    const expected = command === 'ps' ? [] : {name: 'tiny', wasRunning: false, killed: []}
    assert.deepEqual([run.status, JSON.parse(run.stdout), run.stderr], [0, expected, ''])
  })
}

test('stop says that nothing was running', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await cli.run('create', path)
  assert.deepEqual(await cli.run('stop', 'tiny'), {
    status: 0,
    signal: null,
    stdout: '',
    stderr: 'tiny was not running.\n',
  })
})
