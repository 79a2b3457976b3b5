import assert from 'node:assert/strict'
import {mkdir, readdir} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {capture} from '../../../src/host/process.js'
import {carriedArchive, listing, withoutLaid} from '../../support/carried-tree.js'
import {FRONT_DOOR} from '../../support/cli.js'
import {type EnvironmentCli, environmentCli, whyNotMapped} from '../../support/environment-cli.js'
import {readImageFile} from '../../support/image-file.js'
import {startGroup} from '../../support/process-group.js'
import {noOverlays} from '../../support/stacked-layers.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

const whyMapped = await whyNotMapped()
const EPOCH = {SOURCE_DATE_EPOCH: '1700000000'}

for (const identity of ['emulated', 'mapped'] as const) {
  for (const storage of ['overlay', 'directory']) {
    test(`an image has what the tarball has, ${identity} and ${storage}`, async (t) => {
      if (identity === 'mapped' && whyMapped !== undefined) return t.skip(whyMapped)
      const cli = await environmentCli(t, {ENVS_STORAGE: storage})
      const archive = await carriedArchive(t)
      await cli.run('create', archive, '-n', 'a', '--identity', identity, '-q')
      const run = await cli.run('export', 'a', '--format', 'oci', '-o', 'a.tar', '-q')
      assert.deepEqual([run.status, run.stderr], [0, ''])
      const image = await readImageFile(t, join(cli.home, 'a.tar'))
      assert.deepEqual(withoutLaid(await image.listing()), await listing(archive))
      assert.equal(image.manifest.layers.length, 1)
    })
  }
}

test('the layer of an image has the same digest in both identities', {skip: noOverlays}, async (t) => {
  if (whyMapped !== undefined) return t.skip(whyMapped)
  const cli = await environmentCli(t)
  const archive = await carriedArchive(t)
  const digests = []
  for (const identity of ['emulated', 'mapped']) {
    await cli.run('create', archive, '-n', identity, '--identity', identity, '-q')
    const run = await cli.run('export', identity, '--format', 'oci', '-o', `${identity}.tar`, '--json')
    const {layers} = JSON.parse(run.stdout).image
    digests.push(layers.map(({digest}: {digest: string}) => digest))
  }
  assert.equal(digests[0].length, 1)
  assert.deepEqual(digests[0], digests[1])
})

/** A small environment called tiny. */
async function tiny(t: TestContext, files = 0): Promise<EnvironmentCli> {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t, {files})
  const made = await cli.run('create', path, '--identity', 'emulated', '-q')
  assert.equal(made.status, 0, made.stderr)
  return cli
}

test('SOURCE_DATE_EPOCH makes the same file twice', async (t) => {
  const cli = await tiny(t)
  const results = []
  for (const name of ['a.tar', 'b.tar']) {
    const run = await cli.runWith({env: EPOCH}, 'export', 'tiny', '--format', 'oci', '-o', name, '--json')
    results.push(JSON.parse(run.stdout))
  }
  assert.equal(results[0].sha256, results[1].sha256)
  const image = await readImageFile(t, join(cli.home, 'a.tar'))
  assert.equal(image.config.created, '2023-11-14T22:13:20Z')
})

test('export --format docker names the image for docker load, and its configuration by flags', async (t) => {
  const cli = await tiny(t)
  const run = await cli.run(
    ...[
      'export',
      'tiny',
      '--format',
      'docker',
      '-o',
      'x.tar',
      '--compression',
      'none',
      '--tag',
      'team/tool:1',
    ],
    ...[
      '--env',
      'A=1',
      '--env',
      'A=2',
      '--cmd',
      '["serve","-v"]',
      '--entrypoint',
      'exec tool',
      '--user',
      'www',
    ],
    ...['--workdir', '/srv', '--label', 'a=b', '--expose', '80', '--stop-signal', 'SIGINT', '--json'],
  )
  const image = await readImageFile(t, join(cli.home, 'x.tar'))
  assert.deepEqual(image.config.config, {
    Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'A=2'],
    Entrypoint: ['/bin/sh', '-c', 'exec tool'],
    Cmd: ['serve', '-v'],
    User: 'www',
    WorkingDir: '/srv',
    Labels: {a: 'b'},
    ExposedPorts: {'80/tcp': {}},
    StopSignal: 'SIGINT',
  })
  const {image: told} = JSON.parse(run.stdout)
  const [layer] = image.manifest.layers
  assert.equal(layer?.mediaType, 'application/vnd.docker.image.rootfs.diff.tar')
  assert.deepEqual(image.docker[0]?.RepoTags, ['team/tool:1'])
  assert.deepEqual(told.tags, ['team/tool:1'])
  assert.equal(image.index.manifests[0]?.digest, told.digest)
  assert.deepEqual([layer?.digest], image.config.rootfs.diff_ids)
  assert.equal(image.config.history.length, 1)
})

test('skopeo and umoci read the file', async (t) => {
  const cli = await tiny(t)
  await cli.run('export', 'tiny', '--format', 'oci', '-o', 'x.tar')
  await mkdir(join(cli.home, 'tmp'))
  const other = (...argv: string[]) =>
    capture(argv, {cwd: cli.home, env: {...cli.env, TMPDIR: join(cli.home, 'tmp')}})
  for (const [name, source] of [
    ['a', 'oci-archive:x.tar:latest'],
    ['b', 'docker-archive:x.tar:tiny:latest'],
  ] as const) {
    const copied = await other('skopeo', '--insecure-policy', 'copy', source, `oci:${name}:1`)
    assert.equal(copied.status, 0, copied.stderr)
    const unpacked = await other('umoci', 'unpack', '--rootless', '--image', `${name}:1`, `${name}-tree`)
    assert.equal(unpacked.status, 0, unpacked.stderr)
    assert.deepEqual((await readdir(join(cli.home, `${name}-tree`, 'rootfs'))).sort(), [
      'dev',
      'etc',
      'proc',
      'run',
      'sys',
      'tmp',
      'usr',
      'zz-last',
    ])
  }
})

test('an image goes through a pipe, and nothing is left of it', async (t) => {
  const cli = await tiny(t)
  const {status, stdout} = await capture(
    [
      'bash',
      '-c',
      `'${FRONT_DOOR}' export tiny --format docker -q | tar -tf - oci-layout manifest.json; ls -A data/envs/exports`,
    ],
    {cwd: cli.home, env: {...cli.env}},
  )
  assert.deepEqual([status, stdout], [0, 'oci-layout\nmanifest.json\n'])
})

test('an export of an image, interrupted, leaves no file', async (t) => {
  const cli = await tiny(t, 4000)
  const partials = async () => (await readdir(cli.home)).filter((name) => name.startsWith('x.tar'))
  const run = startGroup(cli, ['export', 'tiny', '--format', 'oci', '-o', 'x.tar', '--quiet'])
  while ((await partials()).length === 0) await new Promise(setImmediate)
  run.signalGroup('SIGINT')
  assert.equal((await run.ended).status, 130)
  assert.deepEqual(await partials(), [])
  assert.equal((await cli.run('export', 'tiny', '--format', 'oci', '-o', 'x.tar')).status, 0)
})

for (const [what, argv] of [
  ['a tag without an image', ['--tag', 'x']],
  ['a label without an image', ['--label', 'a=b', '--format', 'tar']],
  ['zstd in schema 2', ['--format', 'docker', '--compression', 'zstd']],
  ['a tag that is none', ['--format', 'oci', '--tag', 'A B']],
  ['a digest as a tag', ['--format', 'oci', '--tag', `a@sha256:${'0'.repeat(64)}`]],
  ['a variable without a value', ['--format', 'oci', '--env', 'A']],
  ['a port that is none', ['--format', 'oci', '--expose', '0']],
  ['a relative working folder', ['--format', 'oci', '--workdir', 'srv']],
  ['words that are no JSON', ['--format', 'oci', '--cmd', '[a]']],
] as const) {
  test(`export refuses ${what}`, async (t) => {
    const cli = await environmentCli(t)
    const run = await cli.run('export', 'tiny', '-o', 'x.tar', ...argv, '--json')
    assert.equal(run.status, 2, run.stdout)
    assert.match(JSON.parse(run.stdout).error.code, /^ENVS_(USAGE|BAD_REFERENCE)$/)
  })
}
