import assert from 'node:assert/strict'
import {readdir, readFile, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {imageCli} from '../../support/image-cli.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

type Problem = {kind: string; path: string; remedy: string; isRepairable: boolean}

test('cached images are checked by their records, by their digests on demand, and repair a lost layer', async (t) => {
  const {bytes, sha256} = await tinyRootfs(t)
  const {cli, envs, offline, images, entries} = await imageCli(t, bytes)
  const made = await envs('create', 'focal', '-n', 'play', '--identity', 'emulated', '-q')
  assert.equal(made.status, 0, made.stderr)
  const check = async (...flags: string[]): Promise<Problem[]> =>
    JSON.parse((await offline('doctor', '--check', ...flags, '--json')).stdout).problems
  assert.deepEqual(await check('--digests'), [])

  const layers = join(cli.data, 'layers')
  const [record = ''] = (await readdir(layers, {recursive: true})).filter((path) =>
    path.endsWith('layer.json'),
  )
  const base = join(layers, record, '..')
  await rm(base, {recursive: true})
  assert.deepEqual(
    (await check()).map(({kind, path, isRepairable}) => ({kind, path, isRepairable})),
    [{kind: 'image-layer', path: base, isRepairable: true}],
  )
  const repaired = await offline('doctor', '--repair')
  assert.deepEqual(
    [repaired.status, repaired.stdout],
    [0, 'Repaired play: The layer of its image is missing.\n'],
  )
  assert.deepEqual(await check('--digests'), [])

  const archive = join(images, sha256, 'archive')
  const whole = await readFile(archive)
  const flipped = Buffer.from(whole)
  flipped[whole.length - 1] = (flipped.at(-1) ?? 0) ^ 1
  await writeFile(archive, flipped)
  assert.deepEqual(await check(), [])
  assert.deepEqual(
    (await check('--digests')).map(({kind, path, remedy}) => ({kind, path, remedy})),
    [
      {
        kind: 'image',
        path: archive,
        remedy: `Remove the image, which is fetched again when it is needed: envs image rm ${sha256.slice(0, 12)}`,
      },
    ],
  )
  await writeFile(archive, whole.subarray(1))
  assert.deepEqual(
    (await check()).map(({kind, isRepairable}) => `${kind} ${isRepairable}`),
    ['image true'],
  )
  assert.equal((await offline('doctor', '--repair')).status, 0)
  assert.deepEqual(await entries(), [])
})
