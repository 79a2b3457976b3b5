import assert from 'node:assert/strict'
import {join} from 'node:path'
import {test} from 'node:test'
import {capture} from '../../../src/host/process.js'
import {listTree} from '../../support/image-layers.js'
import {writeLayout} from '../../support/image-layout.js'
import {TRAPS} from '../../support/layer-traps.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

/** Rows in which umoci makes another tree, and why envs does not. */
const DIFFERENT: Readonly<Record<string, string>> = {
  'a folder that is only implied hides a symlink, as Docker does it':
    'it follows the link, and images are tried with Docker',
  'a symlink to the root does not lead out of the tree': 'the same, within the tree',
  'a hard link to a file that the same layer removes': 'it refuses the image',
  'hard links of AUFS': 'it leaves the folder of the links',
  'a device 0:0 is no whiteout': 'it puts an empty file in its place',
  'a device replaces a file, and a FIFO is made': 'it puts an empty file in the place of the device',
}

/** Root of a user namespace, whom no mode of the caller's files keeps out. */
const READER = {prefix: ['unshare', '--map-root-user', '--']}

/** Rows that end with a working folder: unpacking makes none. */
const withoutFolder = Object.entries(TRAPS).filter(([, {workingFolder}]) => workingFolder === undefined)

for (const [what, {layers, expected}] of withoutFolder) {
  const reason = DIFFERENT[what]
  test(`umoci ${reason === undefined ? 'makes the same tree' : `differs (${reason})`}: ${what}`, async (t) => {
    const folder = await temporaryFolder(t)
    await writeLayout(join(folder, 'layout'), {one: {layers, form: 'none'}})
    const words = [
      'umoci',
      'unpack',
      '--rootless',
      '--image',
      `${join(folder, 'layout')}:one`,
      join(folder, 'bundle'),
    ]
    const {status, stderr} = await capture(words, {timeout: 60_000})
    const found = status === 0 ? ownerless(listTree(READER, join(folder, 'bundle/rootfs'))) : stderr
    // A mode of the image keeps the owner out of a folder.
    await capture(['chmod', '-R', 'u+rwx', join(folder, 'bundle')])
    const wanted = ownerless({'.': 'd 755 0:0', ...expected})
    if (reason === undefined) assert.deepEqual(found, wanted)
    else assert.notDeepEqual(found, wanted)
  })
}

/** Without owners, which an ordinary user can't give: umoci keeps them as an attribute. */
function ownerless(tree: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tree).map(([path, line]) => [path, line.replace(/(?<= )\d+:\d+(?= |$)/, '-')]),
  )
}
