import {test} from 'node:test'
import {imageCli} from '../../support/image-cli.js'
import {assertDocumented} from '../../support/json-schema.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

test('what --json prints of images is as its schema has it', async (t) => {
  const {envs, publish} = await imageCli(t, (await tinyRootfs(t)).bytes)
  const note = async (key: string, ...argv: string[]) => {
    await assertDocumented(key, JSON.parse((await envs(...argv, '--json')).stdout))
  }
  await note('image pull --dry-run', 'image', 'pull', 'focal', '--dry-run')
  await note('image pull', 'image', 'pull', 'focal')
  await note('create', 'create', 'focal')
  await note('image search', 'image', 'search', 'focal')
  await publish('20.04.6', (await tinyRootfs(t, {files: 1})).bytes)
  await envs('image', 'pull', 'focal')
  await note('image list', 'image', 'list')
  await note('image prune', 'image', 'prune')
  await note('image rm', 'image', 'rm', 'focal')
  await note('error', 'image', 'rm', 'focal')
})
