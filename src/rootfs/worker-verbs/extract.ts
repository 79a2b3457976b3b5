import {type ArchiveInput, openArchiveInput} from '../../compression/archive-input.js'
import {openHost} from '../../host/host.js'
import {type ExtractOptions, type ExtractReport, extractTree} from '../extract.js'
import type {WorkerRequests} from '../worker-request.js'

const STDIN = 0

/** @param descriptors - Added to the command line by templates/host/decode.pl; empty without it. */
export async function extract(
  {root, owners, ledger}: WorkerRequests['extract'],
  {onProgress, descriptors}: Pick<ExtractOptions, 'onProgress'> & {descriptors: readonly string[]},
): Promise<ExtractReport> {
  const {which, architecture} = openHost()
  return extractTree(await openInput(descriptors), root, {
    owners,
    which,
    architecture,
    ...(onProgress === undefined ? {} : {onProgress}),
    ...(ledger === undefined ? {} : {ledger}),
  })
}

/** Returns standard input, or the output of a decoder that was started together with this program. */
function openInput([statusFd, archiveFd]: readonly string[]): Promise<ArchiveInput> {
  if (statusFd === undefined || archiveFd === undefined) return openArchiveInput(STDIN)
  return openArchiveInput(Number(archiveFd), {fd: STDIN, statusFd: Number(statusFd)})
}
