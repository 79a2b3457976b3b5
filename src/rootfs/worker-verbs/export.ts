import {archiveToolMissingError} from '../../compression/errors.js'
import {openHost} from '../../host/host.js'
import {explainErrno} from '../errors.js'
import {type ExportOptions, type ExportReport, exportTree} from '../export/export-tree.js'
import type {ExportRequest} from '../worker-request.js'

/** After the three standard descriptors. */
const ARCHIVE_FD = 3

export async function exportArchive(
  {root, ledger, owners, comment}: ExportRequest,
  onProgress: NonNullable<ExportOptions['onProgress']>,
): Promise<ExportReport> {
  const tar = openHost().which('tar')
  if (tar === undefined)
    throw archiveToolMissingError({program: 'tar', hostPackage: 'tar', purpose: 'to read the tree'})
  try {
    return await exportTree(root, {ledger, rule: owners, comment, tar, fd: ARCHIVE_FD, onProgress})
  } catch (error) {
    throw explainErrno(error, root)
  }
}
