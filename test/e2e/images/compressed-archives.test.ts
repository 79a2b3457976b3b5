import assert from 'node:assert/strict'
import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {capture} from '../../../src/host/process.js'
import {compressed, missingCompressor} from '../../support/compressed.js'
import {environmentCli} from '../../support/environment-cli.js'
import {layer, put} from '../../support/image-layers.js'
import {writeLayout} from '../../support/image-layout.js'
import {runnableMembers} from '../../support/runnable-rootfs.js'

const FORMS = [
  {format: 'gzip', suffix: 'gz', prefix: ''},
  {format: 'zstd', suffix: 'zst', prefix: 'docker-archive:'},
  {format: 'xz', suffix: 'xz', prefix: 'oci-archive:'},
] as const

test('a compressed saved image is read as the plain one', async (t) => {
  const cli = await environmentCli(t)
  const layers = [layer(...(await runnableMembers())), layer(put('etc/motd', 'hello\n'))]
  const own = await writeLayout(join(cli.home, 'layout'), {app: {layers}})
  const tar = join(cli.home, 'saved.tar')
  await capture(['tar', '-C', own.folder, '-cf', tar, 'oci-layout', 'index.json', 'blobs'])
  const plain = await readFile(tar)
  for (const {format, suffix, prefix} of FORMS) {
    if (missingCompressor(format) !== false) continue
    const path = `${tar}.${suffix}`
    await writeFile(path, compressed(format, plain))
    const made = await cli.run('create', `${prefix}${path}`, '-q')
    assert.equal(made.status, 0, made.stderr)
    const {image} = JSON.parse((await cli.run('show', 'saved', '--json')).stdout)
    assert.equal(image.container.manifest, own.manifests['app'])
    await cli.run('rm', '--force', '--now', 'saved')
  }
  const damaged = join(cli.home, 'damaged.tar.gz')
  await writeFile(damaged, compressed('gzip', plain).subarray(0, -100))
  const refused = await cli.run('create', damaged, '--json')
  assert.deepEqual([refused.status, JSON.parse(refused.stdout).error.code], [2, 'ENVS_NOT_AN_IMAGE_FILE'])
  const {stdout} = await capture(['find', cli.home, '-name', '.archive.*'])
  assert.equal(stdout, '')
})
