import assert from 'node:assert/strict'
import {copyFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {environmentCli} from '../../support/environment-cli.js'
import {tarArchive, tarMember} from '../../support/tar-archive.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

for (const {what, image, status, code, suggestion} of [
  {
    what: 'a file that is not there',
    image: './nothing.tar.gz',
    status: 3,
    code: 'ENVS_IMAGE_NOT_FOUND',
    suggestion:
      'Give the path of a root file system as a tar archive, such as ./rootfs.tar.gz, or of a saved image of containers.',
  },
  {
    what: 'a folder',
    image: '/etc',
    status: 2,
    code: 'ENVS_NOT_AN_IMAGE_FILE',
    suggestion: 'Give a root file system as a tar archive, such as ./rootfs.tar.gz.',
  },
  {
    what: 'a file that is no archive',
    image: '/etc/passwd',
    status: 6,
    code: 'ENVS_ARCHIVE_UNKNOWN',
    suggestion: 'Give a root file system as a tar archive.',
  },
  {
    what: 'a device',
    image: '/dev/null',
    status: 2,
    code: 'ENVS_NOT_AN_IMAGE_FILE',
    suggestion: 'Give a root file system as a tar archive, such as ./rootfs.tar.gz.',
  },
  {
    what: 'a word that names no image',
    image: 'nosuch',
    status: 3,
    code: 'ENVS_UNKNOWN_IMAGE',
    suggestion: 'See the images that exist: envs image search',
  },
  {
    what: 'a file name without a path',
    image: 'rootfs.tar.gz',
    status: 3,
    code: 'ENVS_UNKNOWN_IMAGE',
    suggestion: 'To use a file, give its path, such as ./rootfs.tar.gz; there is no such file here.',
  },
  {
    what: 'a scheme that is not fetched',
    image: 'ftp://example.org/rootfs.tar',
    status: 2,
    code: 'ENVS_USAGE',
    suggestion: 'Give an http: or https: URL.',
  },
  {
    what: 'a server that does not answer',
    image: 'http://127.0.0.1:1/rootfs.tar',
    status: 5,
    code: 'ENVS_NETWORK',
    suggestion: 'Check the URL and the network; a proxy is taken from http_proxy and https_proxy.',
  },
]) {
  test(`create tells of ${what}, and makes nothing`, async (t) => {
    const cli = await environmentCli(t)
    const run = await cli.run('create', image, '--name', 'x', '--json')
    assert.equal(run.status, status)
    assert.equal(run.stderr, '')
    const {error} = JSON.parse(run.stdout)
    assert.deepEqual([error.code, error.suggestions], [code, [suggestion]])
    assert.deepEqual(await cli.storeEntries(), [])
  })
}

for (const {what, names} of [
  {what: 'docker save writes', names: ['manifest.json', '0a1b/layer.tar']},
  {what: 'an OCI layout is', names: ['oci-layout', 'index.json', 'blobs/sha256/0a1b']},
]) {
  test(`create tells what to give instead of layers, as ${what}`, async (t) => {
    const cli = await environmentCli(t)
    const input = tarArchive(...names.map((name) => tarMember({data: '{}', name})))
    const run = await cli.runWith({input}, 'create', '-', '--name', 'x', '--json')
    assert.equal(run.status, 6)
    const {error} = JSON.parse(run.stdout)
    assert.equal(error.code, 'ENVS_ARCHIVE_UNKNOWN')
    assert.match(error.message, /layers of a container image/)
    assert.match(error.suggestions.join('\n'), /docker export/)
    assert.deepEqual(await cli.storeEntries(), [])
  })
}

test('an environment whose tree has no shell is told so when it does not start', async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  assert.equal((await cli.run('create', path, '--name', 'x')).status, 0)
  const run = await cli.run('run', '--json', 'x', 'true')
  assert.equal(run.status, 125)
  const {error} = JSON.parse(run.stdout)
  assert.equal(error.code, 'ENVS_START_FAILED')
  assert.deepEqual(error.suggestions, [
    'Create the environment again from a complete image.',
    'Its files are still there: envs path x',
  ])
})

test('create points to the file that a word without a path may have meant', async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  await copyFile(path, join(cli.home, 'tiny.tar.gz'))
  const {status, stdout} = await cli.run('create', 'tiny.tar.gz', '--json')
  assert.equal(status, 3)
  assert.deepEqual(JSON.parse(stdout).error.suggestions, [
    'To use the file with that name, write ./tiny.tar.gz',
  ])
})
