import {mkdirSync} from 'node:fs'
import {openArchiveInput, openGrowingArchive} from '../../compression/input.js'
import {openHost} from '../../host/host.js'
import {explainErrno} from '../errors.js'
import type {ExtractOptions} from '../extract.js'
import {extractLayer, type LayerReport} from '../layer/extract.js'
import {mergeImageLayers} from '../layer/merge.js'
import type {LedgerCounts} from '../ledger/ledger.js'
import type {ExtractLayerRequest, MergeRequest} from './protocol.js'

const STDIN = 0

export async function extractOne(
  {tree, changes, ledger, owners, part}: ExtractLayerRequest,
  onProgress: NonNullable<ExtractOptions['onProgress']>,
): Promise<LayerReport> {
  const {which, architecture} = openHost()
  mkdirSync(tree, {mode: 0o700})
  const options = {owners, which, architecture, ledger, changes, onProgress}
  const input = part === undefined ? await openArchiveInput(STDIN) : openGrowingArchive(part, STDIN)
  return extractLayer(input, tree, options)
}

export function merge({layers, root, ledger, workingFolder, owners}: MergeRequest): LedgerCounts {
  const {which, architecture} = openHost()
  try {
    return mergeImageLayers(layers, root, {
      ledger,
      workingFolder,
      setsOwners: owners === 'keep',
      which,
      architecture,
    })
  } catch (error) {
    throw explainErrno(error, root)
  }
}
