import {openHost} from '../../host/host.js'
import {NO_MARKS, readLayerMarks} from '../diff/layer-marks.js'
import {openMergedTree} from '../diff/merged.js'
import {mergedUsr} from '../diff/packages.js'
import {explainErrno} from '../errors.js'
import type {LedgerEntry} from '../ledger/ledger.js'
import {readStatOverrides} from '../ledger/owners.js'
import {openArchiveOutput} from '../tar/output.js'
import type {PackLayerRequest} from '../worker/protocol.js'
import {type PackLayerOptions, type PackLayerReport, packLayer} from './pack.js'

/** After the three standard descriptors. */
const LAYER_FD = 3
/** Thousand times those of a large system. */
const MOST_ACCOUNTS_BYTES = 4 * 2 ** 20

/** Packs a layer for the program that works on trees: reads the attributes and overrides, and writes to descriptor 3. */
export async function packLayerVerb(
  {root, below, owners: rule, latest, ...request}: PackLayerRequest,
  onProgress: PackLayerOptions['onProgress'],
): Promise<PackLayerReport> {
  const [marks = NO_MARKS] = await readLayerMarks([root], openHost(), {withUsers: true})
  try {
    const output = openArchiveOutput(LAYER_FD)
    const report = packLayer(root, {
      ...request,
      ...{marks, rule, latest, onProgress, below: below[0], write: output.write},
      overrides: rule === 'caller' ? overridesIn([root, ...below]) : new Map(),
    })
    output.flush()
    return report
  } catch (error) {
    throw explainErrno(error, root)
  }
}

/** Reads dpkg's overrides as they are in a layer and those below it, by their real path. */
function overridesIn(folders: readonly string[]): ReadonlyMap<string, Pick<LedgerEntry, 'uid' | 'gid'>> {
  const tree = openMergedTree(
    folders.map((folder) => ({folder, marks: NO_MARKS})),
    [...folders.keys()],
  )
  const relocate = mergedUsr(tree)
  const overrides = readStatOverrides({read: (path) => tree.read(path, {maxBytes: MOST_ACCOUNTS_BYTES})})
  return new Map(overrides.map(({path, uid, gid}) => [relocate(path), {uid, gid}]))
}
