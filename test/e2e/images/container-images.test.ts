import assert from 'node:assert/strict'
import {readdir, readFile, rm, truncate, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {gunzipSync, gzipSync} from 'node:zlib'
import {sha256Of} from '../../../src/host/digest.js'
import {capture} from '../../../src/host/process.js'
import {type EnvironmentCli, environmentCli, whyNotMapped} from '../../support/environment-cli.js'
import {fileScope} from '../../support/file-scope.js'
import {dir, gone, layer, link, put} from '../../support/image-layers.js'
import {type TestLayout, writeLayout} from '../../support/image-layout.js'
import {runnableMembers} from '../../support/runnable-rootfs.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const scope = fileScope()
const BASE = layer(
  ...(await runnableMembers({
    'usr/bin/id': '/usr/bin/id',
    'usr/bin/cat': '/usr/bin/cat',
    'usr/bin/mv': '/usr/bin/mv',
  })),
)
const TOP = layer(put('etc/motd', 'hello\n'), gone('bin/true'), dir('srv/app'), put('srv/app/x', '1'))
const CONFIG = {
  Env: ['PATH=/usr/bin:/bin', 'GREETING=hi', 'not a variable'],
  WorkingDir: '/srv/app',
  Entrypoint: ['/bin/sh', '-c'],
  Cmd: ['echo "$GREETING from $PWD by $(id -u):$(id -g)"'],
  User: '1234:56',
  Labels: {maintainer: 'a test'},
}
const shared = await temporaryFolder(scope)
const layout = await writeLayout(join(shared, 'layout'), {
  app: {layers: [BASE, TOP], config: CONFIG},
  // The same base, compressed otherwise.
  other: {layers: [BASE, layer(put('etc/other', 'x'))], form: 'zstd'},
  plain: {layers: [BASE], form: 'none'},
  // As a Dockerfile with WORKDIR, and no step after it.
  folder: {layers: [BASE], config: {WorkingDir: '/srv/app/deep', Cmd: ['/bin/sh', '-c', 'pwd'], User: '7'}},
  foreign: {layers: [BASE], architecture: process.arch === 's390x' ? 'amd64' : 's390x'},
})
const APP = `oci:${layout.folder}:app`

const unmapped = await whyNotMapped()
const IDENTITIES = [
  {identity: 'mapped', skip: unmapped ?? false},
  {identity: 'emulated', skip: false},
] as const

async function stored(cli: EnvironmentCli): Promise<string[]> {
  return readdir(join(cli.data, 'image-layers')).catch(() => [])
}

async function ok(cli: EnvironmentCli, ...argv: string[]): Promise<string> {
  const {status, stdout, stderr} = await cli.run(...argv)
  assert.equal(status, 0, stderr)
  return stdout
}

for (const {identity, skip} of IDENTITIES) {
  test(`${identity}: an image of containers runs as its configuration says`, {skip}, async (t) => {
    const cli = await environmentCli(t, {ENVS_IDENTITY: identity})
    await ok(cli, 'create', APP, '--name', 'app', '-q')
    const run = (...argv: string[]) => ok(cli, 'run', ...argv)
    assert.equal(await run('app'), 'hi from /srv/app by 1234:56\n')
    assert.equal(await run('--entrypoint', 'app', '--', 'echo $GREETING; id -u'), 'hi\n1234\n')
    assert.equal(await run('app', '--', 'sh', '-c', 'echo $GREETING; pwd; id -u'), 'hi\n/srv/app\n0\n')
    assert.equal(
      await run('--env', 'GREETING=ho', '--workdir', '/', 'app', '--', 'sh', '-c', 'echo $GREETING; pwd'),
      'ho\n/\n',
    )
    assert.equal(await run('--user', '7', 'app', '--', 'id', '-u'), '7\n')
    // The folder of the image is no condition of a session.
    await run('app', '--', 'sh', '-c', 'cd /; mv /srv/app /srv/gone')
    assert.equal(await run('app', '--', 'sh', '-c', 'pwd'), '/root\n')
    const gone = await cli.run('run', 'app', '--', 'true')
    assert.equal(gone.status, 127)
    const {image} = JSON.parse(await ok(cli, 'show', 'app', '--json'))
    assert.deepEqual(image.container.config.labels, {maintainer: 'a test'})
    assert.equal(image.container.manifest, layout.manifests['app'])
    assert.match(await ok(cli, 'show', 'app'), new RegExp(`Image +${APP}@${layout.manifests['app']}`))
  })

  test(`${identity}: snapshots, clones, diffs and exports of such an environment`, {skip}, async (t) => {
    const cli = await environmentCli(t, {ENVS_IDENTITY: identity})
    await ok(cli, 'create', APP, '--name', 'app', '-q')
    await ok(cli, 'run', 'app', '--', 'sh', '-c', 'echo changed >/etc/motd; echo new >/etc/new')
    await ok(cli, 'stop', 'app')
    const diff = JSON.parse(await ok(cli, 'diff', 'app', '--json'))
    assert.deepEqual(
      diff.files.map(({path, change}: {path: string; change: string}) => `${change} ${path}`).sort(),
      ['added /etc/new', 'changed /etc/motd'],
    )
    await ok(cli, 'snapshot', 'app', 'first', '-q')
    await ok(cli, 'clone', 'app', 'copy', '-q')
    assert.equal(await ok(cli, 'run', 'copy', '--', 'cat', '/etc/motd'), 'changed\n')
    assert.equal(await ok(cli, 'run', 'copy'), 'hi from /srv/app by 1234:56\n')
    await ok(cli, 'reset', 'app', '-q')
    assert.equal(await ok(cli, 'run', 'app', '--', 'cat', '/etc/motd'), 'hello\n')
    await ok(cli, 'stop', 'app')
    await ok(cli, 'export', 'app', '--output', join(cli.home, 'app.tar'), '-q')
    const {stdout} = await capture(['tar', '-tf', join(cli.home, 'app.tar')])
    assert(stdout.split('\n').includes('./srv/app/x'))
  })
}

test('image show has what is recorded of an image', async (t) => {
  const cli = await environmentCli(t)
  await ok(cli, 'create', APP, '--name', 'one', '-q')
  await ok(cli, 'create', `oci:${layout.folder}:plain`, '--name', 'two', '-q')
  const image = JSON.parse(await ok(cli, 'image', 'show', APP, '--json'))
  const manifest = String(layout.manifests['app']).slice('sha256:'.length)
  assert.deepEqual(
    [image.name, image.source, image.sha256, image.trust, image.usedBy],
    [APP, 'oci', manifest, 'unverified', ['one']],
  )
  assert.deepEqual(
    image.layers.map((each: {diffId: string; sharedWith: string[]}) => [each.diffId, each.sharedWith]),
    [
      [sha256Of(BASE), [`oci:${layout.folder}:plain`]],
      [sha256Of(TOP), []],
    ],
  )
  assert.deepEqual(image.container.config.env, CONFIG.Env)
  const text = await ok(cli, 'image', 'inspect', manifest.slice(0, 12))
  const fields = text
    .split('\n')
    .map((line) => line.split(/ {2,}/))
    .filter(([title = '']) => /^(Name|In use by|Working folder|Variable|Label|User)$/.test(title))
  assert.deepEqual(fields, [
    ['Name', `${APP}@sha256:${manifest}`],
    ['In use by', 'one'],
    ['User', '1234:56'],
    ['Working folder', '/srv/app'],
    ...CONFIG.Env.map((variable) => ['Variable', variable]),
    ['Label', 'maintainer=a test'],
  ])
  assert.match(text, new RegExp(`^Layer +sha256:${sha256Of(BASE)}, as sha256:.*, shared with oci:`, 'm'))
  const missing = await cli.run('image', 'show', 'oci:./nothing', '--json')
  assert.deepEqual([missing.status, JSON.parse(missing.stdout).error.code], [3, 'ENVS_IMAGE_NOT_KEPT'])
})

for (const {identity, skip} of IDENTITIES) {
  test(`${identity}: a working folder that no layer has is in the tree of the image`, {skip}, async (t) => {
    const cli = await environmentCli(t, {ENVS_IDENTITY: identity})
    await ok(cli, 'create', `oci:${layout.folder}:folder`, '--name', 'app', '-q')
    assert.equal(await ok(cli, 'run', 'app', '--', 'sh', '-c', 'pwd'), '/srv/app/deep\n')
    assert.equal(await ok(cli, 'run', 'app'), '/srv/app/deep\n')
    const entered = await cli.runWith({input: 'pwd\n'}, 'enter', 'app')
    assert.equal(entered.stdout, '/srv/app/deep\n')
    await ok(cli, 'stop', 'app')
    assert.deepEqual(JSON.parse(await ok(cli, 'diff', 'app', '--json')).files, [])
    await ok(cli, 'export', 'app', '--format', 'oci', '--output', join(cli.home, 'app.tar'), '-q')
    const read = async (path: string) =>
      JSON.parse((await capture(['tar', '-xOf', join(cli.home, 'app.tar'), path])).stdout)
    const {manifests} = await read('index.json')
    // The layer of the image, and none of the user.
    assert.equal((await read(`blobs/${manifests[0].digest.replace(':', '/')}`)).layers.length, 1)
  })
}

for (const {identity, skip} of IDENTITIES)
  test(`${identity}: nothing changes a file that images share`, {skip}, async (t) => {
    const cli = await environmentCli(t, {ENVS_IDENTITY: identity})
    await ok(cli, 'create', APP, '--name', 'one', '-q')
    const before = await sharedFiles(cli, identity)
    assert(before.some((line) => line.includes('etc/passwd')))
    const guest = [
      'echo more >>/etc/passwd; : >/etc/motd; chmod 700 /bin/sh; chmod 0 /etc/os-release; rm /srv/app/x',
      'mv /usr/bin/cat /usr/bin/tac; echo new >/tmp/new; mv /tmp/new /etc/os-release',
    ]
    await ok(cli, 'run', 'one', '--', 'sh', '-c', guest.join('; '))
    await ok(cli, 'snapshot', 'one', 'first', '-q')
    await ok(cli, 'clone', 'one', 'two', '-q')
    await ok(cli, 'rename', 'two', 'three', '-q')
    await ok(cli, 'create', `oci:${layout.folder}:other`, '--name', 'four', '-q')
    for (const name of ['one', 'three', 'four']) await ok(cli, 'run', name, '--', 'sh', '-c', ':')
    for (const name of ['one', 'three', 'four']) await ok(cli, 'stop', name)
    await ok(cli, 'doctor', '--repair')
    await ok(cli, 'rm', '--force', '--now', 'one')
    const after = new Set(await sharedFiles(cli, identity))
    assert.deepEqual(
      before.filter((line) => !after.has(line)),
      [],
    )
  })

/** Digest, mode, owner and time of each file of the stored layers. */
async function sharedFiles(cli: EnvironmentCli, identity: string): Promise<string[]> {
  const words = identity === 'mapped' ? ['unshare', '--map-auto', '--map-root-user', '--'] : []
  const script =
    'find . -path "*/tree/*" -printf "%p %y %m %U:%G %T@ %l\\n"; find . -path "*/tree/*" -type f -exec sha256sum {} +'
  const {status, stdout, stderr} = await capture([...words, 'sh', '-c', script], {
    cwd: join(cli.data, 'image-layers'),
  })
  assert.equal(status, 0, stderr)
  return stdout.split('\n').sort()
}

test('images share layers, whose files go with the last image', async (t) => {
  const cli = await environmentCli(t)
  await ok(cli, 'create', APP, '--name', 'one', '-q')
  assert.equal((await stored(cli)).length, 2)
  await ok(cli, 'create', `oci:${layout.folder}:other`, '--name', 'two', '-q')
  await ok(cli, 'create', `oci:${layout.folder}:plain`, '--name', 'three', '-q')
  assert.equal((await stored(cli)).length, 3)
  const names = JSON.parse(await ok(cli, 'image', 'list', '--json')).map(({name}: {name: string}) => name)
  assert.deepEqual(
    names,
    ['app', 'other', 'plain'].map((tag) => `oci:${layout.folder}:${tag}`),
  )
  // A guest writes into its own copies.
  await ok(cli, 'run', 'one', '--', 'sh', '-c', 'echo broken >/etc/passwd')
  assert.equal(
    await ok(cli, 'run', 'two', '--', 'cat', '/etc/other', '/etc/passwd'),
    'xroot:x:0:0:root:/root:/bin/sh\n',
  )
  for (const name of ['one', 'two', 'three']) await ok(cli, 'rm', '--force', '--now', name)
  await ok(cli, 'image', 'rm', APP)
  assert.equal((await stored(cli)).length, 2)
  await ok(cli, 'image', 'rm', `oci:${layout.folder}:other`, `oci:${layout.folder}:plain`)
  assert.deepEqual(await stored(cli), [])
  assert.deepEqual(await readdir(join(cli.data, 'layers')), [])
})

test('storage of whole trees gets files of its own', async (t) => {
  const cli = await environmentCli(t, {ENVS_STORAGE: 'directory'})
  await ok(cli, 'create', APP, '--name', 'app', '-q')
  assert.equal(await ok(cli, 'run', 'app'), 'hi from /srv/app by 1234:56\n')
  await ok(cli, 'run', 'app', '--', 'sh', '-c', 'echo more >>/srv/app/x')
  await ok(cli, 'create', APP, '--name', 'again', '-q')
  assert.equal(await ok(cli, 'run', 'again', '--', 'cat', '/srv/app/x'), '1')
})

test('an image without a command says so, and one of another processor too', async (t) => {
  const cli = await environmentCli(t)
  await ok(cli, 'create', `oci:${layout.folder}:plain`, '--name', 'plain', '-q')
  const none = await cli.run('run', 'plain')
  assert.deepEqual(
    [none.status, none.stderr],
    [125, 'envs: No command was given.\n  try: envs enter plain\n'],
  )
  const foreign = await cli.run('create', `oci:${layout.folder}:foreign`, '--name', 'foreign', '--json')
  assert.deepEqual([foreign.status, JSON.parse(foreign.stdout).error.code], [3, 'ENVS_NO_PLATFORM'])
})

/** A part of an image that is not what the part above it says. */
const DAMAGES: readonly {readonly what: string; damage(layout: TestLayout): Promise<void>}[] = [
  {
    what: 'manifest',
    damage: async ({blobPath, manifests}) => {
      const path = blobPath(manifests['app'] ?? '')
      await writeFile(path, (await readFile(path, 'utf8')).replace('schemaVersion":2', 'schemaVersion":2 '))
    },
  },
  {
    what: 'configuration',
    damage: async (damaged) => {
      const {config} = await manifestOf(damaged)
      const path = damaged.blobPath(config.digest)
      await writeFile(path, (await readFile(path, 'utf8')).replace('hi', 'ho'))
    },
  },
  {
    what: 'layer',
    damage: async (damaged) => {
      const path = await layerPath(damaged)
      const tar = gunzipSync(await readFile(path))
      await writeFile(
        path,
        gzipSync(Buffer.from(tar.toString('latin1').replace('hello', 'jello'), 'latin1'), {level: 1}),
      )
    },
  },
  {
    what: 'layer that is cut short',
    damage: async (damaged) => truncate(await layerPath(damaged), 100),
  },
  {
    what: 'layer that is missing',
    damage: async (damaged) => rm(await layerPath(damaged)),
  },
]

async function manifestOf({blobPath, manifests}: TestLayout) {
  return JSON.parse(await readFile(blobPath(manifests['app'] ?? ''), 'utf8'))
}

async function layerPath(damaged: TestLayout): Promise<string> {
  return damaged.blobPath((await manifestOf(damaged)).layers[1].digest)
}

for (const {what, damage} of DAMAGES)
  test(`a damaged ${what} is refused, and nothing of it is kept`, async (t: TestContext) => {
    const cli = await environmentCli(t)
    const own = await writeLayout(join(cli.home, 'layout'), {
      app: {layers: [layer(put('a', '1')), TOP], config: CONFIG},
    })
    await damage(own)
    const {status, stderr} = await cli.run('create', `oci:${own.folder}:app`, '--name', 'app', '-q')
    assert.equal(status, what.endsWith('missing') ? 2 : 6, stderr)
    assert.deepEqual(await cli.storeEntries(), [])
    // The first layer may have been whole.
    assert((await stored(cli)).length <= 1)
    assert.deepEqual(await readdir(join(cli.data, 'layers')).catch(() => []), [])
    assert.deepEqual(
      (await readdir(join(cli.data, 'images')).catch(() => [])).filter((name) => name !== '.locks'),
      [],
    )
  })

test('a manifest with too many layers or bytes is refused before a layer is read', async (t) => {
  const cli = await environmentCli(t)
  const own = await writeLayout(join(cli.home, 'layout'), {app: {layers: [TOP]}})
  const manifest = await manifestOf(own)
  const [one] = manifest.layers
  const refusals = [
    {fields: {layers: Array.from({length: 10_000}, () => one)}, why: /a list of 500 at most/},
    {fields: {annotations: {note: 'x'.repeat(5 * 2 ** 20)}}, why: /is over \d+ bytes/},
  ]
  for (const {fields, why} of refusals) {
    const bytes = Buffer.from(JSON.stringify({...manifest, ...fields}))
    const digest = `sha256:${sha256Of(bytes)}`
    await writeFile(own.blobPath(digest), bytes)
    const {mediaType} = manifest
    const index = {schemaVersion: 2, manifests: [{mediaType, digest, size: bytes.length}]}
    await writeFile(join(own.folder, 'index.json'), JSON.stringify(index))
    const {status, stderr} = await cli.run('create', `oci:${own.folder}`, '--name', 'app', '-q')
    assert.match(stderr, why)
    assert.notEqual(status, 0)
    assert.deepEqual(await stored(cli), [])
  }
})

test('a layer with other content than the configuration says is refused', async (t) => {
  const cli = await environmentCli(t)
  const own = await writeLayout(join(cli.home, 'layout'), {
    app: {layers: [layer(put('a', '1'))], diffIds: [`sha256:${'0'.repeat(64)}`]},
  })
  const {status, stdout} = await cli.run('create', `oci:${own.folder}:app`, '--name', 'app', '--json')
  assert.deepEqual([status, JSON.parse(stdout).error.code], [6, 'ENVS_DIGEST_MISMATCH'])
  assert.deepEqual(await stored(cli), [])
})

test('a saved image is taken for what it is, in either form', async (t) => {
  const cli = await environmentCli(t)
  const archive = join(cli.home, 'saved.tar')
  await capture(['tar', '-C', layout.folder, '-cf', archive, 'oci-layout', 'index.json', 'blobs'])
  const several = await cli.run('create', archive, '--name', 'app', '--json')
  assert.deepEqual([several.status, JSON.parse(several.stdout).error.code], [2, 'ENVS_AMBIGUOUS_IMAGE'])
  await ok(cli, 'create', `oci-archive:${archive}:app`, '--name', 'app', '-q')
  assert.equal(await ok(cli, 'run', 'app'), 'hi from /srv/app by 1234:56\n')
})

test('a merged tree has no name of a file that a layer removed', async (t) => {
  const cli = await environmentCli(t)
  const own = await writeLayout(join(cli.home, 'layout'), {
    app: {
      layers: [BASE, layer(dir('d'), put('d/x', '1'), link('l', '/')), layer(gone('d/x'), put('l/y', '2'))],
    },
  })
  await ok(cli, 'create', `oci:${own.folder}:app`, '--name', 'app', '-q')
  assert.equal(await ok(cli, 'run', 'app', '--', 'sh', '-c', 'echo /d/* /l/*'), '/d/* /l/y\n')
})
