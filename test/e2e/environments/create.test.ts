import assert from 'node:assert/strict'
import {copyFile, mkdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {defaultImage} from '../../../src/environments/create/request.js'
import {plainCli} from '../../support/environment-cli.js'
import {answerWithFile, startServer} from '../../support/http-server.js'
import {LAST_MEMBER, tinyRootfs} from '../../support/tiny-rootfs.js'

const WRONG_DIGEST = 'a'.repeat(64)

test('create makes an environment from a file, named after it', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  const run = await cli.run('create', path)
  assert.equal(run.status, 0)
  assert.equal(run.stdout, `Created tiny in ${cli.root('tiny')}\n`)
  assert.equal(await readFile(join(cli.root('tiny'), LAST_MEMBER), 'utf8'), 'data')
  assert.equal(await readFile(join(cli.root('tiny'), 'etc/hostname'), 'utf8'), 'tiny\n')
  assert.deepEqual(await cli.storeEntries(), ['tiny'])
})

test('create takes a path relative to where it is run', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await mkdir(join(cli.home, 'images'))
  await copyFile(path, join(cli.home, 'images/Base_OS.tar.gz'))
  const run = await cli.run('create', 'images/Base_OS.tar.gz', '--json')
  const created = JSON.parse(run.stdout)
  assert.equal(created.name, 'base_os')
  assert.equal(created.image.source, join(cli.home, 'images/Base_OS.tar.gz'))
})

test('create takes a path with spaces and letters of any script, and still finds a name', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await copyFile(path, join(cli.home, 'Über Root (1).tar.gz'))
  const run = await cli.run('create', './Über Root (1).tar.gz', '--json')
  assert.equal(JSON.parse(run.stdout).name, 'ber-root-1')
})

test('create takes standard input', async (t) => {
  const cli = await plainCli(t)
  const {bytes, sha256} = await tinyRootfs(t)
  const run = await cli.runWith({input: bytes}, 'create', '-', '--name', 'piped', '--json')
  const {name, image} = JSON.parse(run.stdout)
  assert.equal(run.status, 0)
  assert.equal(name, 'piped')
  const {source, sizeBytes, trust, compression} = image
  assert.deepEqual(
    [source, image.sha256, sizeBytes, trust, compression],
    ['-', sha256, bytes.length, 'unverified', 'gzip'],
  )
})

test('create from standard input needs a name', async (t) => {
  const cli = await plainCli(t)
  const run = await cli.run('create', '-')
  assert.deepEqual(run, {
    status: 2,
    signal: null,
    stdout: '',
    stderr: 'envs: The image has no name for the environment.\n  Choose one: --name play\n',
  })
})

test('create fetches a URL, names the environment after it, and keeps no copy', async (t) => {
  const cli = await plainCli(t)
  const {bytes, sha256} = await tinyRootfs(t)
  const server = await startServer(t, (request, response) => answerWithFile(request, response, {body: bytes}))
  const url = `${server.origin.href}images/web.tar.gz?token=secret`
  const run = await cli.run('create', url, '--sha256', sha256, '--json')
  const {name, image} = JSON.parse(run.stdout)
  assert.equal(run.status, 0)
  assert.equal(name, 'web')
  assert.deepEqual([image.trust, image.source], ['digest', `${server.origin.href}images/web.tar.gz?***`])
  assert.equal(server.seen.length, 1)
})

test('create says which server did not have the image', async (t) => {
  const cli = await plainCli(t)
  const server = await startServer(t, (_, response) => response.writeHead(404).end())
  const run = await cli.run('create', `${server.origin.href}web.tar.gz`, '--quiet')
  assert.equal(run.status, 5)
  assert.equal(run.stdout, '')
  assert.deepEqual(await cli.storeEntries(), [])
})

test('create accepts the digest that the archive has', async (t) => {
  const cli = await plainCli(t)
  const {path, sha256} = await tinyRootfs(t)
  const run = await cli.run('create', path, '--sha256', sha256.toUpperCase(), '--quiet')
  assert.equal(run.status, 0)
  assert.equal(run.stderr, '')
  const shown = await cli.run('show', 'tiny', '--json')
  assert.equal(JSON.parse(shown.stdout).image.trust, 'digest')
})

test('create refuses an archive with another digest, and keeps nothing of it', async (t) => {
  const cli = await plainCli(t)
  const {path, sha256} = await tinyRootfs(t)
  const run = await cli.run('create', path, '--sha256', WRONG_DIGEST, '--quiet')
  assert.equal(run.status, 6)
  assert.equal(run.stdout, '')
  assert.equal(
    run.stderr.split('\n')[0],
    `envs: The SHA-256 digest of ${path} is ${sha256}, not ${WRONG_DIGEST}.`,
  )
  assert.deepEqual(await cli.storeEntries(), [])
})

test('create refuses a download with another digest, and keeps nothing of it', async (t) => {
  const cli = await plainCli(t)
  const {bytes} = await tinyRootfs(t)
  const server = await startServer(t, (request, response) => answerWithFile(request, response, {body: bytes}))
  const run = await cli.run('create', `${server.origin.href}web.tar.gz`, '--sha256', WRONG_DIGEST, '--json')
  assert.equal(run.status, 6)
  assert.equal(JSON.parse(run.stdout).error.code, 'ENVS_DIGEST_MISMATCH')
  assert.deepEqual(await cli.storeEntries(), [])
})

test('create says once that an image without a digest is unverified', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  const {stdout, stderr} = await cli.run('create', path)
  assert.equal((stdout + stderr).match(/unverified/g)?.length, 1)
})

test('create says it under --quiet and --json too, where it leaves the result alone', async (t) => {
  const cli = await plainCli(t)
  const {path, sha256} = await tinyRootfs(t)
  const warning = `envs: warning: the image is unverified: give --sha256 HEX to check it. The digest of the image is ${sha256}.\n`
  const quiet = await cli.run('create', path, '--quiet')
  assert.deepEqual([quiet.stdout, quiet.stderr], [`Created tiny in ${cli.root('tiny')}\n`, warning])
  const json = await cli.run('create', path, '--name', 'other', '--json')
  assert.equal(json.stderr, warning)
  assert.equal(JSON.parse(json.stdout).name, 'other')
})

for (const name of ['Play', '-x', '.hidden', '', 'a/b', '..', 'a b', 'ä', 'a'.repeat(64)]) {
  test(`create refuses ${JSON.stringify(name)} as a name`, async (t) => {
    const cli = await plainCli(t)
    const {path} = await tinyRootfs(t)
    const run = await cli.run('create', path, `--name=${name}`, '--json')
    assert.equal(run.status, 2)
    assert.equal(JSON.parse(run.stdout).error.code, 'ENVS_USAGE')
    assert.deepEqual(await cli.storeEntries(), [])
  })
}

test('create leaves an environment of that name as it is', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await cli.run('create', path)
  const before = await cli.run('show', 'tiny', '--json')
  const run = await cli.run('create', path)
  assert.deepEqual(run, {
    status: 4,
    signal: null,
    stdout: '',
    stderr:
      'envs: The environment "tiny" exists already.\n' +
      '  Choose another name with --name, or remove it first: envs rm tiny\n',
  })
  assert.equal((await cli.run('show', 'tiny', '--json')).stdout, before.stdout)
})

test('create without an image looks for the one of this host', async (t) => {
  const cli = await plainCli(t)
  const nowhere = 'http://127.0.0.1:1'
  const env = {
    ENVS_MIRROR_UBUNTU_BASE: nowhere,
    ENVS_MIRROR_UBUNTU_CLOUD: nowhere,
    ENVS_MIRROR_LXC: nowhere,
    ENVS_MIRROR_DEBIAN_ARCHIVE: nowhere,
    ENVS_MIRROR_DEBIAN_SECURITY: nowhere,
    ENVS_MIRROR_UBUNTU_ARCHIVE: nowhere,
  }
  const {status, stdout} = await cli.runWith({env}, 'create', '--json')
  assert.equal(status, 5)
  const {error} = JSON.parse(stdout)
  const [, suite = ''] = (await defaultImage()).split(':')
  assert.ok(error.message.includes(suite), error.message)
})

test('create takes the image of ENVS_IMAGE, then that of the setting', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await copyFile(path, join(cli.home, 'by-variable.tar.gz'))
  await cli.run('config', 'set', 'defaultImage', path)
  const env = {ENVS_IMAGE: join(cli.home, 'by-variable.tar.gz')}
  assert.equal(JSON.parse((await cli.runWith({env}, 'create', '--json')).stdout).name, 'by-variable')
  assert.equal(JSON.parse((await cli.run('create', '--json')).stdout).name, 'tiny')
})

test('create tells of each failure once', async (t) => {
  const cli = await plainCli(t)
  const {stderr} = await cli.run('create', './nothing.tar.gz')
  assert.equal(stderr.match(/There is no file/g)?.length, 1)
})
