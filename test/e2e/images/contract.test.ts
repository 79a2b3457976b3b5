import {test} from 'node:test'
import {imageCli} from '../../support/image-cli.js'
import {assertDocumented} from '../../support/json-schema.js'
import {assertPinned, shapeOf} from '../../support/pinned.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

test('what --json prints of images has the keys and types that were promised', async (t) => {
  const {envs, publish} = await imageCli(t, (await tinyRootfs(t)).bytes)
  const shapes: Record<string, unknown> = {}
  const note = async (key: string, ...argv: string[]) => {
    const printed: unknown = JSON.parse((await envs(...argv, '--json')).stdout)
    await assertDocumented(key, printed)
    shapes[key] = shapeOf(printed)
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
  await assertPinned('image-json-shapes.json', shapes)
})
