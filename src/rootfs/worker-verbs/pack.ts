import {createHash} from 'node:crypto'
import {closeSync, constants, openSync} from 'node:fs'
import {finishSha256} from '../../host/digest.js'
import {openHost} from '../../host/host.js'
import {readLayerMarks} from '../comparison/layer-marks.js'
import {explainErrno} from '../errors.js'
import {openArchiveOutput} from '../export/archive-output.js'
import {openTreeView} from '../fixes/tree-view.js'
import {type PackOptions, type PackReport, packTree} from '../image/pack-tree.js'
import type {PackedImage, PackRequest} from '../worker-request.js'

const {O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW} = constants

/** From a package that not every tree has; without it, no file gets capabilities. */
const SETCAP = ['usr/sbin/setcap', 'sbin/setcap']

export async function pack(
  {root, owners, ledger, latest, archive}: PackRequest,
  onProgress: NonNullable<PackOptions['onProgress']>,
): Promise<PackedImage> {
  try {
    const capabilities = await readCapabilities(root)
    return writeImage(archive, (write) =>
      packTree(root, {owners, ledger, latest, capabilities, write, onProgress}),
    )
  } catch (error) {
    throw explainErrno(error, root)
  }
}

/** Reads capabilities only if there can be any, because that takes a program of the host. */
async function readCapabilities(root: string): Promise<ReadonlyMap<string, Buffer>> {
  const tree = openTreeView(root)
  if (SETCAP.every((path) => tree.kindOf(path) === 'nothing')) return new Map()
  const [marks] = await readLayerMarks([root], openHost())
  return new Map([...(marks?.capabilities ?? [])].map(([path, value]) => [path, Buffer.from(value, 'hex')]))
}

function writeImage(archive: string, make: (write: (bytes: Buffer) => void) => PackReport): PackedImage {
  const fd = openSync(archive, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  try {
    const output = openArchiveOutput(fd)
    const hash = createHash('sha256')
    let sizeBytes = 0
    const report = make((bytes) => {
      hash.update(bytes)
      output.write(bytes)
      sizeBytes += bytes.length
    })
    output.flush()
    return {...report, sha256: finishSha256(hash), sizeBytes}
  } finally {
    closeSync(fd)
  }
}
